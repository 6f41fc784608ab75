use super::*;

const RPI: &str = "8be6cd371c5c891604bfbe49df845096";

fn read(content: &str) -> Result<Reading, ReadError> {
    let content = content.as_bytes();
    Form::of(content).read(content, None)
}

fn sightings(content: &str) -> Vec<Sighting> {
    let reading = read(content).unwrap();
    assert!(reading.skipped.is_empty());
    reading.sightings
}

fn problem(content: &str) -> String {
    read(content).unwrap_err().to_string()
}

/// When, how strong, of everything that was read.
pub(super) fn times(reading: &Reading) -> Vec<(u64, i8)> {
    reading.sightings.iter().map(|sighting| (sighting.seen_at.as_secs(), sighting.rssi_dbm)).collect()
}

pub(super) fn skipped(reading: &Reading) -> Vec<(&'static str, u64)> {
    reading.skipped.iter().map(|(reason, &count)| (reason.name(), count)).collect()
}

fn line(rssi: &str, seen_at: &str) -> String {
    format!(r#"{{"rpi":"{RPI}","aem":"72033874","rssi_dbm":{rssi},"seen_at":{seen_at}}}"#)
}

mod text {
    use super::*;

    #[test]
    fn json_lines_and_csv_say_the_same() {
        let json = format!("\n{}\r\n\n{}\n", line("-50", "1585785600"), line("-61", "1585785660"));
        let csv = format!(
            "seen_at, rssi_dbm,rpi,aem,phone\r\n1585785600,-50,{RPI},72033874,\"a, b\"\n1585785660,-61,{RPI},72033874,\n"
        );
        let expected = sightings(&json);
        assert_eq!(expected.len(), 2);
        assert_eq!(sightings(&csv), expected);
        assert_eq!(sightings(&format!("\u{feff}{csv}")), expected);
        assert_eq!((expected[1].rssi_dbm, expected[1].seen_at.as_secs()), (-61, 1_585_785_660));
    }

    #[test]
    fn nothing_received_is_no_mistake() {
        for content in ["", " \n", "rpi,aem,rssi_dbm,seen_at\n", "StartTime;EndTime;RPI;AEM;MaxRSSI;BDADDR\n"]
        {
            assert_eq!(sightings(content), [], "{content:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let good = line("-50", "0");
        insta::assert_snapshot!(problem(&format!("{good}\n{{\"rpi\"\n")), @", line 2: EOF while parsing an object, at column 6");
        insta::assert_snapshot!(problem(&format!("{good}\n{}\n", line("-200", "0"))), @", line 2: invalid value: integer `-200`, expected i8, at column 74");
        insta::assert_snapshot!(problem(&format!("{good}\n{}\n", line("-50", "-1"))), @", line 2: invalid value: integer `-1`, expected u64, at column 86");
        insta::assert_snapshot!(problem(&good.replace("8be6", "8be")), @", line 1: RollingProximityIdentifier: must be 32 hex digits, not 31, at column 40");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm\n{RPI},72033874,1\n")), @", line 1: the first line names no column `seen_at`");
        insta::assert_snapshot!(problem(&format!("{RPI},72033874,-60,1585786200\n")), @", line 1: the first line names no column `rpi`");
        insta::assert_snapshot!(problem(&format!("[{good}]")), @", line 1: the first line names no column `rpi`");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm,seen_at\n{RPI},72033874,-50,1\n{RPI},72033874,weak,1\n")), @", line 3: `weak` in column 3: invalid digit found in string");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm,seen_at\n{RPI},7203387,-50,1\n")), @", line 2: AssociatedEncryptedMetadata: must be 8 hex digits, not 7");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm,seen_at\n{RPI},72033874,-50\n")), @", line 2: the line has 3 columns, the header 4");
    }

    #[test]
    fn milliseconds_are_no_seconds() {
        let last = line("-50", "253402300799");
        assert_eq!(sightings(&last).len(), 1);
        insta::assert_snapshot!(problem(&format!("{last}\n{}\n", line("-50", "1585785600123"))), @", line 2: `seen_at` must be seconds up to 253402300799, the year 9999, not 1585785600123");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm,seen_at\n{RPI},72033874,-50,253402300800\n")), @", line 2: `seen_at` must be seconds up to 253402300799, the year 9999, not 253402300800");
    }

    #[test]
    fn text_is_utf_8() {
        let error = Form::of(b"\xff").read(b"\xff", None).unwrap_err();
        assert!(matches!(error.cause, Cause::NotText(_)));
    }
}

mod scan_csv {
    use super::*;

    const HEADER: &str = "StartTime;EndTime;RPI;AEM;MaxRSSI;BDADDR";

    fn row(start: &str, end: &str, rssi: &str) -> String {
        format!("{start};{end};{RPI};72033874;{rssi};7A:11:22:33:44:55")
    }

    #[test]
    fn a_row_is_heard_when_it_begins_and_when_it_ends() {
        let reading = read(&format!(
            "{HEADER}\n{}\n{}\n",
            row("1585785600", "1585785960", "-61"),
            row("1585786000", "1585786000", "-70")
        ))
        .unwrap();
        assert_eq!(times(&reading), [(1_585_785_600, -61), (1_585_785_960, -61), (1_585_786_000, -70)]);
        let sighting = reading.sightings[0];
        assert_eq!(
            (sighting.rpi.to_string(), sighting.aem.to_string()),
            (RPI.to_owned(), "72033874".to_owned())
        );
    }

    #[test]
    fn coordinates_and_more_columns_change_nothing() {
        let plain = sightings(&format!("{HEADER}\n{}\n", row("10", "20", "-61")));
        let with =
            format!("{HEADER};LAT;LON;Altitude;Speed\r\n{};52.5;13.4;30;1.2\r\n", row("10", "20", "-61"));
        assert_eq!(sightings(&with), plain);
    }

    #[test]
    fn the_header_says_the_order_and_may_be_absent_or_come_again() {
        let plain = sightings(&format!("{HEADER}\n{}\n{}", row("10", "20", "-61"), row("30", "30", "-61")));
        let row_of = |start, end, rssi| row(start, end, rssi);
        assert_eq!(
            sightings(&format!("{}\n{}", row_of("10", "20", "-61"), row_of("30", "30", "-61"))),
            plain
        );
        let again = format!("{HEADER}\n{}\n{HEADER}\n{}\n", row("10", "20", "-61"), row("30", "30", "-61"));
        assert_eq!(sightings(&again), plain);
        let other_order =
            format!("MaxRSSI;RPI;aem;EndTime;starttime\n-61;{RPI};72033874;20;10\n-61;{RPI};72033874;30;30");
        assert_eq!(sightings(&other_order), plain);
    }

    #[test]
    fn fractions_of_seconds_are_cut_off() {
        assert_eq!(times(&read(&row("10.999", "20.0", "-61")).unwrap()), [(10, -61), (20, -61)]);
    }

    #[test]
    fn rows_that_say_nothing_are_counted() {
        let reading = read(&format!(
            "{HEADER}\n{}\n{}\n{}\n{}",
            row("20", "10", "-61"),
            row("1", "2", "127"),
            row("1", "2", ""),
            row("3", "3", "-1")
        ))
        .unwrap();
        assert_eq!(times(&reading), [(3, -1)]);
        assert_eq!(skipped(&reading), [("no-signal-strength", 2), ("ends-before-start", 1)]);
    }

    #[test]
    fn a_strength_can_stand_in_for_a_missing_one_only() {
        let content = [row("1", "1", "127"), row("2", "2", "-40"), row("3", "3", "")].join("\n");
        let reading = Form::ScanCsv.read(content.as_bytes(), Some(-90)).unwrap();
        assert_eq!(times(&reading), [(1, -90), (2, -40), (3, -90)]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_line_and_column() {
        let good = row("10", "20", "-61");
        insta::assert_snapshot!(problem("a;b\n"), @", line 1: neither the header StartTime;EndTime;RPI;AEM;MaxRSSI;BDADDR nor a row with these columns");
        insta::assert_snapshot!(problem("StartTime;EndTime;RPI;MaxRSSI\n"), @", line 1: the header names no column `AEM`");
        insta::assert_snapshot!(problem(&format!("{good}\n10;20;{RPI}\n")), @", line 2: the line has 3 columns, and column 5 is `MaxRSSI`");
        insta::assert_snapshot!(problem(&row("10", "20", "128")), @", line 1: `MaxRSSI` must be a number from -128 to 127, not 128");
        insta::assert_snapshot!(problem(&row("10", "", "-1")), @", line 1: `EndTime` must be a number from 0 to 253402300799, not nothing");
        insta::assert_snapshot!(problem(&row("10", "1.x", "-1")), @", line 1: `EndTime` must be a number from 0 to 253402300799, not other text");
        insta::assert_snapshot!(problem(&row("1595376000000", "20", "-1")), @", line 1: `StartTime` must be a number from 0 to 253402300799, not 1595376000000");
        insta::assert_snapshot!(problem(&row("10", "99999999999999999999", "-1")), @", line 1: `EndTime` must be a number from 0 to 253402300799, not one that is out of all bounds");
        insta::assert_snapshot!(problem(&good.replace("8be6", "8bg6")), @", line 1: `RPI` not a hex digit at position 2");
        insta::assert_snapshot!(problem(&good.replace("72033874", "")), @", line 1: `AEM` must be 8 hex digits, not 0");
    }

    #[test]
    fn no_message_has_an_address_or_a_place() {
        for content in
            [row("x", "20", "-1"), row("10", "20", "loud"), row("10", "20", "-1").replace("8be6", "8")]
        {
            let message = problem(&format!("{HEADER};LAT;LON\n{content};52.5;13.4"));
            assert!(!message.contains("7A:11") && !message.contains("52.5"), "{message}");
        }
    }
}

mod databases {
    use super::*;

    const RPI_BYTES: [u8; 16] = *b"0123456789abcdef";
    const SENT: &[u8] = b"fd6f:303132333435363738396162636465660a0B0c0d";

    fn located(service_data: Value<'_>, rows: &[[Value<'_>; 3]]) -> Reading {
        let mut reader = RambleReader::new(None);
        reader.device(Value::Integer(7), service_data).unwrap();
        for &[id, timestamp, rssi] in rows {
            reader.location(id, timestamp, rssi).unwrap();
        }
        reader.finish()
    }

    #[test]
    fn a_location_of_ramble_is_a_sighting() {
        use Value::Integer;
        let rows = [[Integer(7), Integer(100), Integer(-60)], [Integer(7), Integer(40), Integer(-70)]];
        let reading = located(Value::Bytes(SENT), &rows);
        assert_eq!(times(&reading), [(100, -60), (40, -70)]);
        assert_eq!(reading.sightings[0].rpi, RollingProximityIdentifier::from_bytes(RPI_BYTES));
        assert_eq!(reading.sightings[0].aem, AssociatedEncryptedMetadata::from_bytes([10, 11, 12, 13]));
        assert_eq!(skipped(&reading), []);
    }

    #[test]
    fn devices_that_are_no_phones_are_counted_by_their_locations() {
        use Value::{Bytes, Integer, Null, Other};
        let row = [Integer(7), Integer(100), Integer(-60)];
        for (service_data, reason) in [
            (Null, "no-exposure-notification"),
            (Bytes(b""), "no-exposure-notification"),
            (Bytes(b"180f:64"), "no-exposure-notification"),
            (Bytes(b"fd6f:"), "service-data-length"),
            (Bytes(b"fd6f:00112233"), "service-data-length"),
            (Bytes(b"fd6f:0011223"), "value-type"),
            (Bytes(b"fd6f:xy"), "value-type"),
            (Bytes(b"\xff"), "value-type"),
            (Integer(1), "value-type"),
            (Other, "value-type"),
        ] {
            assert_eq!(skipped(&located(service_data, &[row, row])), [(reason, 2)], "{service_data:?}");
        }
    }

    #[test]
    fn devices_beyond_four_million_are_refused() {
        let mut reader = RambleReader::new(None);
        reader.device(Value::Integer(0), Value::Bytes(SENT)).unwrap();
        for id in 1..4_000_000 {
            reader.device(Value::Integer(id), Value::Null).unwrap();
        }
        // Nothing is kept of a device without a number.
        reader.device(Value::Null, Value::Null).unwrap();
        for sent in [Value::Bytes(SENT), Value::Null] {
            let cause = reader.device(Value::Integer(4_000_000), sent).unwrap_err();
            assert_eq!(cause.to_string(), "more than 4000000 devices");
        }
    }

    #[test]
    fn locations_that_say_nothing_are_counted() {
        use Value::{Bytes, Integer, Null};
        let good = [Integer(7), Integer(100), Integer(-60)];
        for (column, value, reason) in [
            (0, Null, "value-type"),
            (0, Integer(8), "unknown-device"),
            (1, Null, "value-type"),
            (1, Integer(-1), "value-out-of-range"),
            (1, Integer(1_595_376_000_000), "value-out-of-range"),
            (2, Null, "no-signal-strength"),
            (2, Integer(127), "no-signal-strength"),
            (2, Integer(128), "value-out-of-range"),
            (2, Integer(-129), "value-out-of-range"),
            (2, Bytes(b"-60"), "value-type"),
        ] {
            let mut row = good;
            row[column] = value;
            let reading = located(Bytes(SENT), &[row, good]);
            assert_eq!(skipped(&reading), [(reason, 1)], "{value:?} in {column}");
            assert_eq!(reading.sightings.len(), 1);
        }
    }

    fn advertised(rows: &[[Value<'_>; 5]]) -> Reading {
        let mut reader = MicrogReader::new(None);
        for &[rpi, aem, timestamp, rssi, duration] in rows {
            reader.advertisement(rpi, aem, timestamp, rssi, duration).unwrap();
        }
        reader.finish()
    }

    const GOOD: [Value<'static>; 5] = [
        Value::Bytes(&RPI_BYTES),
        Value::Bytes(&[10, 11, 12, 13]),
        Value::Integer(1_595_376_000_999),
        Value::Integer(-60),
        Value::Integer(300_001),
    ];

    #[test]
    fn a_row_of_microg_is_heard_when_it_begins_and_when_it_ends() {
        let reading = advertised(&[GOOD]);
        assert_eq!(times(&reading), [(1_595_376_000, -60), (1_595_376_301, -60)]);
        assert_eq!(reading.sightings[0].rpi, RollingProximityIdentifier::from_bytes(RPI_BYTES));
        assert_eq!(reading.sightings[0].aem, AssociatedEncryptedMetadata::from_bytes([10, 11, 12, 13]));
        let mut once = GOOD;
        once[4] = Value::Integer(0);
        assert_eq!(times(&advertised(&[once])), [(1_595_376_000, -60)]);
    }

    #[test]
    fn rows_of_microg_that_say_nothing_are_counted() {
        use Value::{Bytes, Integer, Null};
        for (column, value, reason) in [
            (0, Bytes(&[7; 15]), "identifier-length"),
            (0, Bytes(&[7; 17]), "identifier-length"),
            (0, Null, "value-type"),
            (1, Bytes(&[]), "metadata-length"),
            (1, Bytes(&[7; 3]), "metadata-length"),
            (1, Bytes(&[7; 5]), "metadata-length"),
            (1, Integer(4), "value-type"),
            (2, Integer(-1), "value-out-of-range"),
            (2, Integer(i64::MAX), "value-out-of-range"),
            (3, Integer(1000), "value-out-of-range"),
            (3, Null, "no-signal-strength"),
            (4, Integer(-1000), "ends-before-start"),
            (4, Integer(i64::MAX), "value-out-of-range"),
            (4, Null, "value-type"),
        ] {
            let mut row = GOOD;
            row[column] = value;
            let reading = advertised(&[row, GOOD]);
            assert_eq!(skipped(&reading), [(reason, 1)], "{value:?} in {column}");
            assert_eq!(reading.sightings.len(), 2);
        }
    }
}
