//! Looks for what must not be there: clients' secrets and addresses in everything that the server wrote.

use std::fs;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::story::Mishap;

/// What a search looked through, and what it found.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) files: usize,
    pub(super) bytes: usize,
    pub(super) tables: usize,
    pub(super) secrets: usize,
    pub(super) keys: usize,
    /// Where something was found, without saying what.
    pub(super) finds: Vec<String>,
}

/// A value and the ways in which it might have been written down.
struct Needle {
    /// `anna: registration_tokens`.
    name: String,
    spellings: Vec<Vec<u8>>,
}

/// Searches the server's directory for what the phones in `phones` hold.
///
/// Addresses, tokens, TANs, teleTANs and GUIDs are to be nowhere. Keys are to be in the packages and in the one table
/// of diagnosis keys, and nowhere else: not in another table, a log or a metric.
pub(super) fn search(phones: &Path, server: &Path) -> Result<Search, Mishap> {
    let (secrets, keys) = needles(phones)?;
    let mut search = Search { secrets: secrets.len(), keys: keys.len(), ..Search::default() };
    search.directory(server, server, &secrets, &keys)?;
    search.tables(&server.join("cwa.sqlite3"), &secrets, &keys)?;
    Ok(search)
}

impl Search {
    fn directory(
        &mut self,
        root: &Path,
        directory: &Path,
        secrets: &[Needle],
        keys: &[Needle],
    ) -> Result<(), Mishap> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.directory(root, &path, secrets, keys)?;
                continue;
            }
            let content = fs::read(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            self.files += 1;
            self.bytes += content.len();
            self.look(&name, &content, secrets);
            // Packages are there to hold keys, and the database is looked through table by table.
            if !name.starts_with("www") && !name.starts_with("cwa.sqlite3") {
                self.look(&name, &content, keys);
            }
        }
        Ok(())
    }

    fn tables(&mut self, database: &Path, secrets: &[Needle], keys: &[Needle]) -> Result<(), Mishap> {
        let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut tables =
            database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
        let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for table in tables {
            self.tables += 1;
            // The name comes from the schema; doubled quotes make it an identifier whatever it holds.
            let mut rows = database.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\"")))?;
            let columns = rows.column_count();
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    let (ValueRef::Blob(value) | ValueRef::Text(value)) = row.get_ref(column)? else {
                        continue;
                    };
                    self.look(&format!("table {table}"), value, secrets);
                    if table != KEY_TABLE {
                        self.look(&format!("table {table}"), value, keys);
                    }
                }
            }
        }
        Ok(())
    }

    fn look(&mut self, place: &str, content: &[u8], needles: &[Needle]) {
        for needle in needles {
            if needle.spellings.iter().any(|spelling| contains(content, spelling)) {
                let find = format!("{} in {place}", needle.name);
                if !self.finds.contains(&find) {
                    self.finds.push(find);
                }
            }
        }
    }
}

/// The table that holds diagnosis keys, and alone may.
const KEY_TABLE: &str = "diagnosis_key";

fn contains(content: &[u8], spelling: &[u8]) -> bool {
    // Looking for the first byte alone passes over most of the content quickly, in a debug build too.
    let Some((first, rest)) = spelling.split_first() else { return false };
    let mut content = content;
    while let Some(position) = content.iter().position(|byte| byte == first) {
        let Some(after) = content.get(position + 1..) else { return false };
        if after.starts_with(rest) {
            return true;
        }
        content = after;
    }
    false
}

/// What the phones hold: secrets and addresses, and keys.
fn needles(phones: &Path) -> Result<(Vec<Needle>, Vec<Needle>), Mishap> {
    let (mut secrets, mut keys) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(phones)? {
        let path = entry?.path().join("app.json");
        if !path.is_file() {
            continue;
        }
        let app: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let phone = app.get("name").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let texts = |field: &str| -> Vec<String> {
            match app.get(field) {
                Some(Value::String(text)) => vec![text.clone()],
                Some(Value::Array(texts)) => {
                    texts.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                }
                _ => Vec::new(),
            }
        };
        for field in ["address", "guid", "registration_tokens", "tans", "tele_tans"] {
            secrets.extend(texts(field).iter().map(|text| Needle {
                name: format!("{phone}: {field}"),
                spellings: spellings_of_secret(text),
            }));
        }
        let stored = app.get("keys").and_then(Value::as_array).into_iter().flatten();
        for key in stored.filter_map(|key| key.get("key_data")?.as_str()) {
            let bytes = hex::decode(key)?;
            keys.push(Needle { name: format!("{phone}: a key"), spellings: spellings_of_bytes(&bytes) });
        }
    }
    Ok((secrets, keys))
}

/// As written, in the other case, as bytes, and as the plain SHA-256 that the German server keeps.
fn spellings_of_secret(text: &str) -> Vec<Vec<u8>> {
    use sha2::{Digest as _, Sha256};
    let mut spellings =
        vec![text.as_bytes().to_vec(), text.to_lowercase().into_bytes(), text.to_uppercase().into_bytes()];
    if let Ok(bytes) = hex::decode(text.replace('-', "")) {
        spellings.extend(spellings_of_bytes(&bytes));
    }
    spellings.extend(spellings_of_bytes(&Sha256::digest(text)));
    spellings
}

/// Raw, in hexadecimal of either case, and in base64 of either alphabet.
fn spellings_of_bytes(bytes: &[u8]) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    vec![
        bytes.to_vec(),
        hex::encode(bytes).into_bytes(),
        hex::encode_upper(bytes).into_bytes(),
        STANDARD_NO_PAD.encode(bytes).into_bytes(),
        URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_of_its_spellings() {
        let token = "63b4d3ff-e0de-4bd4-90c1-17c2bb683a2f";
        for spelling in spellings_of_secret(token) {
            let mut search = Search::default();
            let needles = [Needle { name: "token".to_owned(), spellings: spellings_of_secret(token) }];
            let content = [b"6 and 63 ".as_slice(), &spelling, b" end"].concat();
            search.look("log", &content, &needles);
            assert_eq!(search.finds, ["token in log"]);
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert!(!contains(b"aab", b"ab2"));
        assert!(contains(b"aab", b"ab"));
        assert!(!contains(b"", b"a"));
    }
}
