//! The databases of RaMBLE and microG.
//!
//! A database is hostile input: a schema holds code, and pages point to pages. So it is opened as a copy in memory that
//! cannot be written, nothing in its schema is trusted, pages are checked before rows are read, and only plain columns of
//! plain tables are read, table by table. No file is opened, so no log or journal beside it is read or left.

use core::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::format::{Cause, DatabaseError, MicrogReader, Place, RambleReader, ReadError, Reading, Value};

/// Reads the database whose bytes are `content`, and says which of the two it is.
pub(super) fn read(
    mut content: Vec<u8>,
    missing_rssi_dbm: Option<i8>,
) -> Result<(&'static str, Reading), ReadError> {
    // Bytes 18 and 19 say whether the file is written by way of a log. A copy in memory has none, and SQLite refuses to
    // open such a copy unless they say so.
    if let Some(versions @ [2, 2]) = content.get_mut(18..20) {
        versions.fill(1);
    }
    let connection = open(&content).map_err(|error| sqlite(error, Place::File))?;
    drop(content);
    let tables = tables(&connection).map_err(|error| sqlite(error, Place::File))?;
    let has = |table: &str| tables.iter().any(|found| found == table);
    if has("devices") && has("locations") {
        let mut reader = RambleReader::new(missing_rssi_dbm);
        rows(&connection, "devices", ["id", "service_data"], |[id, data]| reader.device(id, data))?;
        rows(&connection, "locations", ["device_id", "timestamp", "rssi"], |[id, timestamp, rssi]| {
            reader.location(id, timestamp, rssi)
        })?;
        Ok(("ramble", reader.finish()))
    } else if has("advertisements") {
        let mut reader = MicrogReader::new(missing_rssi_dbm);
        let columns = ["rpi", "aem", "timestamp", "rssi", "duration"];
        rows(&connection, "advertisements", columns, |[rpi, aem, timestamp, rssi, duration]| {
            reader.advertisement(rpi, aem, timestamp, rssi, duration)
        })?;
        Ok(("microg", reader.finish()))
    } else {
        Err(ReadError { place: Place::File, cause: Cause::Tables { found: tables } })
    }
}

fn open(content: &[u8]) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 16 << 20)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 16)?;
    connection.set_limit(Limit::SQLITE_LIMIT_COLUMN, 1000)?;
    connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 100)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.deserialize_read_exact("main", content, content.len(), true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Constraints are expressions of the schema.
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    Ok(connection)
}

/// The names of the tables that are rows of their own: neither views nor virtual tables, whatever root page these say
/// that they have.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND sql LIKE 'CREATE TABLE%' ORDER BY name",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Calls `take` with these columns of every row of a table, in the order in which they are stored.
fn rows<const N: usize>(
    connection: &Connection,
    table: &'static str,
    columns: [&'static str; N],
    mut take: impl FnMut([Value<'_>; N]) -> Result<(), Cause>,
) -> Result<(), ReadError> {
    let in_table = |error| sqlite(error, Place::Table(table));
    let (mut plain, mut computed): (Vec<String>, Vec<String>) = Default::default();
    connection
        .pragma(None, "table_xinfo", table, |row| {
            let is_plain = row.get::<_, i64>("hidden")? == 0;
            if is_plain { &mut plain } else { &mut computed }.push(row.get("name")?);
            Ok(())
        })
        .map_err(in_table)?;
    if let Some(&column) = columns.iter().find(|&&column| !plain.iter().any(|name| name == column)) {
        return Err(ReadError {
            place: Place::Table(table),
            cause: Cause::NoColumn { column, found: plain },
        });
    }
    // Generated columns are expressions of the schema, and checking pages computes them all, whoever asks for them.
    if !computed.is_empty() {
        return Err(ReadError { place: Place::Table(table), cause: Cause::Computed { found: computed } });
    }
    // A page that two others point to can be the root of more rows than there are atoms. Other tables may need what only
    // phones have, such as their order of letters, so they are not checked.
    let check = format!("PRAGMA quick_check({table})");
    let verdict: String = connection.query_row(&check, [], |row| row.get(0)).map_err(in_table)?;
    if verdict != "ok" {
        return Err(in_table(corrupt(&verdict)));
    }
    // An index is a copy of rows that nobody compares with them.
    let query = format!("SELECT {} FROM {table} NOT INDEXED", columns.join(", "));
    let mut statement = connection.prepare(&query).map_err(in_table)?;
    let mut rows = statement.query([]).map_err(in_table)?;
    let mut number = 0;
    loop {
        number += 1;
        let place = Place::Row { table, number };
        let Some(row) = rows.next().map_err(|error| sqlite(error, place))? else { return Ok(()) };
        let values = values(row).map_err(|error| sqlite(error, place))?;
        take(values).map_err(|cause| ReadError { place, cause })?;
    }
}

fn values<'a, const N: usize>(row: &'a Row<'_>) -> rusqlite::Result<[Value<'a>; N]> {
    let mut values = [Value::Other; N];
    for (index, value) in values.iter_mut().enumerate() {
        *value = match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => Value::Integer(integer),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Bytes(bytes),
            ValueRef::Real(_) => Value::Other,
        };
    }
    Ok(values)
}

fn sqlite(error: rusqlite::Error, place: Place) -> ReadError {
    ReadError { place, cause: Cause::Database(DatabaseError(Box::new(error))) }
}

/// The first of what a check found; the heading says only which database it is.
fn corrupt(verdict: &str) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let first = verdict.lines().find(|line| !line.starts_with("***"));
    rusqlite::Error::SqliteFailure(code, first.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database made by these statements, as the bytes of its file.
    fn database(statements: &str) -> Vec<u8> {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(statements).unwrap();
        connection.serialize("main").unwrap().to_vec()
    }

    fn times(content: Vec<u8>) -> Vec<(u64, i8)> {
        let (_, reading) = read(content, None).unwrap();
        assert!(reading.skipped.is_empty());
        reading.sightings.iter().map(|sighting| (sighting.seen_at.as_secs(), sighting.rssi_dbm)).collect()
    }

    fn problem(content: Vec<u8>) -> String {
        let error = read(content, None).unwrap_err();
        let source = core::error::Error::source(&error.cause).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    }

    const RAMBLE: &str = "
        CREATE TABLE android_metadata (locale TEXT);
        CREATE TABLE devices (id INTEGER PRIMARY KEY, address TEXT, name TEXT, service_data TEXT);
        CREATE TABLE locations (id INTEGER PRIMARY KEY, device_id INTEGER, timestamp INTEGER, latitude REAL, rssi INTEGER);
        INSERT INTO devices VALUES (3, '7A:11', NULL, 'fd6f:303132333435363738396162636465660a0b0c0d');
        INSERT INTO locations VALUES (1, 3, 1595376000, 52.5, -60), (2, 3, 1595376300, 52.5, -70);";

    const MICROG: &str = "
        CREATE TABLE advertisements (rpi BLOB NOT NULL, aem BLOB NOT NULL, timestamp INTEGER NOT NULL,
            rssi INTEGER NOT NULL, duration INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (rpi, timestamp));
        CREATE INDEX index_advertisements_rpi ON advertisements(rpi);
        INSERT INTO advertisements VALUES (x'30313233343536373839616263646566', x'0a0b0c0d', 1595376000999, -60, 300000);";

    #[test]
    fn the_two_databases_are_told_apart_by_their_tables() {
        assert_eq!(read(database(RAMBLE), None).unwrap().0, "ramble");
        assert_eq!(times(database(RAMBLE)), [(1_595_376_000, -60), (1_595_376_300, -70)]);
        assert_eq!(read(database(MICROG), None).unwrap().0, "microg");
        assert_eq!(times(database(MICROG)), [(1_595_376_000, -60), (1_595_376_300, -60)]);
    }

    #[test]
    fn a_database_of_log_mode_is_read_without_its_log() {
        let mut content = database(MICROG);
        content[18..20].fill(2);
        assert_eq!(times(content).len(), 2);
    }

    #[test]
    fn another_schema_is_refused_with_what_was_found() {
        insta::assert_snapshot!(problem(database("CREATE TABLE t (x); CREATE TABLE devices (id);")), @": neither `devices` and `locations` of RaMBLE nor `advertisements` of microG; tables `devices`, `t`");
        insta::assert_snapshot!(problem(database("PRAGMA user_version = 1;")), @": neither `devices` and `locations` of RaMBLE nor `advertisements` of microG; no tables");
        insta::assert_snapshot!(problem(database("CREATE TABLE advertisements (rpi, aem, time, rssi);")), @", table `advertisements`: there is no column `timestamp`; columns `rpi`, `aem`, `time`, `rssi`");
    }

    #[test]
    fn code_in_a_schema_is_not_run() {
        // A view of that name would run for ever.
        insta::assert_snapshot!(problem(database(
            "CREATE VIEW advertisements AS WITH RECURSIVE forever(rpi) AS (SELECT 1 UNION ALL SELECT rpi + 1 FROM forever)
             SELECT rpi, rpi AS aem, rpi AS timestamp, rpi AS rssi, rpi AS duration FROM forever;"
        )), @": neither `devices` and `locations` of RaMBLE nor `advertisements` of microG; no tables");
        insta::assert_snapshot!(problem(database(
            "CREATE TABLE advertisements (rpi, aem, timestamp, rssi, duration AS (length(zeroblob(1000000000))));"
        )), @", table `advertisements`: there is no column `duration`; columns `rpi`, `aem`, `timestamp`, `rssi`");
        // Nobody asks for this column, but the check of pages would compute it.
        insta::assert_snapshot!(problem(database(&MICROG.replace(
            "PRIMARY KEY",
            "size INTEGER AS (length(hex(zeroblob(1)))), PRIMARY KEY"
        ))), @", table `advertisements`: the schema computes columns, and nothing of a schema is run; columns `size`");
        // A constraint is not asked; this one would say that the row must not be.
        let with_constraint = MICROG.replace("rssi INTEGER", "rssi INTEGER CHECK (rssi > 0)");
        let with_constraint = format!("PRAGMA ignore_check_constraints = 1; {with_constraint}");
        assert_eq!(times(database(&with_constraint)).len(), 2);
    }

    #[test]
    fn a_virtual_table_is_none_even_with_a_root_page() {
        // A table of this kind has five columns by these names, and rows that a module of SQLite makes up.
        let content = database(
            "CREATE VIRTUAL TABLE advertisements USING fts5(rpi, aem, timestamp, rssi, duration);
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'advertisements';",
        );
        let problem = problem(content);
        assert!(problem.starts_with(": neither `devices` and `locations` of RaMBLE nor"), "{problem}");
    }

    #[test]
    fn a_page_that_is_in_two_places_is_refused() {
        // Enough rows for a table of several pages.
        let rows = "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
            INSERT INTO locations SELECT i, 3, 1595376000, 52.5, -60 FROM n;";
        let mut content = database(&format!("{RAMBLE} {rows}"));
        assert_eq!(times(content.clone()).len(), 1993);
        // Page 4 is the root: 0 kind, interior | 3..=4 number of cells | 12.. where they are. The first comes again.
        let root = 3 * 4096;
        assert_eq!((content[root], content[root + 3]), (5, 0));
        assert!(content[root + 4] > 3, "the root points to several pages");
        content.copy_within(root + 12..root + 14, root + 14);
        let problem = problem(content);
        assert!(problem.starts_with(", table `locations`: the database cannot be read: "), "{problem}");
    }

    #[test]
    fn other_tables_may_hold_what_only_phones_understand() {
        let other =
            "CREATE TABLE contacts (name TEXT COLLATE NOCASE); CREATE INDEX by_name ON contacts(name);
            INSERT INTO contacts VALUES ('a'), ('b');
            CREATE VIEW names AS SELECT PHONE_NUMBERS_EQUAL(name, 1) FROM contacts;";
        let mut content = database(&format!("{RAMBLE} {other}"));
        let order = content.windows(6).position(|bytes| bytes == b"NOCASE").unwrap();
        content[order..order + 6].copy_from_slice(b"GERMAN");
        assert_eq!(times(content).len(), 2);
    }

    #[test]
    fn a_damaged_database_is_refused() {
        let whole = database(MICROG);
        insta::assert_snapshot!(problem(whole[..100].to_vec()), @": the database cannot be read: database disk image is malformed");
        let mut pages = whole;
        // The root of the first table, page 2, says that it is an interior page.
        pages[4096] = 5;
        insta::assert_snapshot!(problem(pages), @", table `advertisements`: the database cannot be read: Tree 2 page 2 cell 0: invalid page number 265945088");
    }

    #[test]
    fn no_flipped_byte_makes_it_fail_otherwise() {
        let whole = database(MICROG);
        for offset in (0..whole.len()).step_by(7).chain(0..120) {
            let mut content = whole.clone();
            content[offset] ^= 0xff;
            let _ = read(content, None);
        }
    }
}
