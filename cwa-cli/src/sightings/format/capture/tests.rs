use super::super::tests::{skipped, times};
use super::super::{Form, ReadError, Reading};

/// What an iPhone sent in 2020: flags, list of services, service data.
const DATA: &str = "02011a 03036ffd 17166ffd e23f352fa09307a85d4194912443180d 484dc151";

/// A link-layer packet that is not connectable, from a random address: access address, header, address, data, CRC. Another
/// program's reader of captures finds the CRC right.
const PACKET: &str = "d6be898e 4225 0100e7c25e7a \
    02011a03036ffd17166ffde23f352fa09307a85d4194912443180d484dc151 045ba2";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.split_whitespace().collect::<String>()).unwrap()
}

fn read(content: &[u8]) -> Result<Reading, ReadError> {
    Form::of(content).read(content, None)
}

fn problem(content: &[u8]) -> String {
    read(content).unwrap_err().to_string()
}

/// A capture of one record at second 0x5f178280 and 0xf423f of a million, from its link type and the record.
fn pcap(link_type: u32, record: &[u8]) -> Vec<u8> {
    let length = u32::try_from(record.len()).unwrap().to_le_bytes();
    // Magic, version 2.4, zone, accuracy, longest record, link type; then the record.
    let header = format!("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 {:08x}", link_type.swap_bytes());
    [&bytes(&header), &bytes("8082175f 3f420f00")[..], &length, &length, record].concat()
}

fn event(subevent_and_reports: &str) -> Vec<u8> {
    let parameters = bytes(subevent_and_reports);
    [&[0x04, 0x3e, u8::try_from(parameters.len()).unwrap()], &parameters[..]].concat()
}

fn assert_is_the_iphone(reading: &Reading, rssi_dbm: i8) {
    assert_eq!(times(reading), [(0x5f17_8280, rssi_dbm)]);
    assert_eq!(reading.sightings[0].rpi.to_string(), "e23f352fa09307a85d4194912443180d");
    assert_eq!(reading.sightings[0].aem.to_string(), "484dc151");
}

mod hci {
    use super::*;

    /// Event type, address type, address, length, data, RSSI -61.
    fn report() -> String {
        format!("03 01 0100e7c25e7a 1f {DATA} c3")
    }

    #[test]
    fn a_report_is_a_sighting() {
        let reading = read(&pcap(187, &event(&format!("02 01 {}", report())))).unwrap();
        assert_is_the_iphone(&reading, -61);
        assert!(reading.skipped.is_empty());
    }

    #[test]
    fn the_direction_in_front_makes_no_difference() {
        let record = [&[0, 0, 0, 1], &event(&format!("02 01 {}", report()))[..]].concat();
        assert_is_the_iphone(&read(&pcap(201, &record)).unwrap(), -61);
    }

    #[test]
    fn an_event_has_several_reports() {
        // Between two of the phone's: headphones, with their name; and a device that says nothing.
        let other = "00 00 0600e7c25e7a 05 0409 61 62 63 b0";
        let silent = "04 00 0600e7c25e7a 00 b0";
        let reports = format!("02 04 {} {other} {silent} {}", report(), report());
        let reading = read(&pcap(187, &event(&reports))).unwrap();
        assert_eq!(reading.sightings.len(), 2);
        assert_eq!(skipped(&reading), [("no-exposure-notification", 2)]);
    }

    #[test]
    fn an_extended_report_is_a_sighting_if_it_is_whole() {
        // Event type, address type, address, PHYs, SID, transmit power, RSSI -62, interval, direct address, length, data.
        let report = |event_type: &str| {
            format!("{event_type} 01 0100e7c25e7a 01 00 ff 7f c2 0000 00 000000000000 1f {DATA}")
        };
        let reading = read(&pcap(187, &event(&format!("0d 01 {}", report("1000"))))).unwrap();
        assert_is_the_iphone(&reading, -62);
        // More to come; cut off.
        for event_type in ["2000", "4000"] {
            let reports = format!("0d 02 {} {}", report(event_type), report("0000"));
            let reading = read(&pcap(187, &event(&reports))).unwrap();
            assert_is_the_iphone(&reading, -62);
            assert_eq!(skipped(&reading), [("fragment", 1)]);
        }
    }

    #[test]
    fn no_strength_is_no_sighting_unless_one_stands_in() {
        let content = pcap(187, &event(&format!("02 01 03 01 0100e7c25e7a 1f {DATA} 7f")));
        let reading = read(&content).unwrap();
        assert_eq!(reading.sightings, []);
        assert_eq!(skipped(&reading), [("no-signal-strength", 1)]);
        assert_is_the_iphone(&Form::Pcap.read(&content, Some(-90)).unwrap(), -90);
    }

    #[test]
    fn other_packets_are_counted() {
        for (record, reason) in [
            // A command, data, a command's end, a connection's, a meta event without subevent.
            ("01 0c20 02 0100", "not-an-advertisement"),
            ("02 4000 0100 00", "not-an-advertisement"),
            ("04 0e 04 01 0c20 00", "not-an-advertisement"),
            ("04 3e 01 01", "not-an-advertisement"),
            ("04 3e 02 01 00", "not-an-advertisement"),
            ("04 3e 00", "not-an-advertisement"),
            // Nothing; no length; fewer parameters than said; a report that is not there; one without its strength.
            ("", "malformed-record"),
            ("04 3e", "malformed-record"),
            ("04 3e 05 02 01", "malformed-record"),
            ("04 3e 02 02 01", "malformed-record"),
            ("04 3e 0b 02 01 03 01 0100e7c25e7a 00", "malformed-record"),
            ("04 3e 0e 02 01 03 01 0100e7c25e7a 03 02011a", "malformed-record"),
            // Data: 5 bytes of service data; structures longer than the data.
            ("04 3e 15 02 01 03 01 0100e7c25e7a 09 08166ffd0102030405 c3", "service-data-length"),
            ("04 3e 0f 02 01 03 01 0100e7c25e7a 03 08166f c3", "malformed-advertising-data"),
        ] {
            let record = bytes(record);
            assert_eq!(skipped(&read(&pcap(187, &record)).unwrap()), [(reason, 1)], "{record:02x?}");
        }
    }
}

mod link_layer {
    use super::*;

    #[test]
    fn without_a_header_there_is_no_strength() {
        let content = pcap(251, &bytes(PACKET));
        assert_eq!(skipped(&read(&content).unwrap()), [("no-signal-strength", 1)]);
        assert_is_the_iphone(&Form::Pcap.read(&content, Some(-90)).unwrap(), -90);
    }

    /// Channel 37, signal -63 dBm, no noise, no offenses, reference access address, flags.
    fn with_header(flags: &str, packet: &[u8]) -> Vec<u8> {
        pcap(256, &[&bytes(&format!("25 c1 80 00 d6be898e {flags}")), packet].concat())
    }

    #[test]
    fn the_header_has_the_strength_if_its_flag_says_so() {
        assert_is_the_iphone(&read(&with_header("0300", &bytes(PACKET))).unwrap(), -63);
        assert_eq!(
            skipped(&read(&with_header("0100", &bytes(PACKET))).unwrap()),
            [("no-signal-strength", 1)]
        );
    }

    #[test]
    fn the_sniffers_word_on_the_checksum_counts_and_else_it_is_computed() {
        let mut damaged = bytes(PACKET);
        // In the address.
        damaged[8] ^= 1;
        for (flags, packet, is_taken) in [
            ("0300", &bytes(PACKET), true),
            ("0300", &damaged, false),
            // Checked and wrong; checked and right, in which case sniffers may leave zeros in its place.
            ("0304", &bytes(PACKET), false),
            ("030c", &damaged, true),
        ] {
            let reading = read(&with_header(flags, packet)).unwrap();
            assert_eq!(reading.sightings.len(), usize::from(is_taken), "{flags}");
            assert_eq!(reading.skipped.len(), usize::from(!is_taken), "{flags}");
        }
        assert_eq!(skipped(&read(&with_header("0300", &damaged)).unwrap()), [("checksum", 1)]);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..8 * 44 {
            let mut packet = bytes(PACKET);
            packet[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&with_header("0300", &packet)).unwrap().sightings, [], "{bit}");
        }
    }

    #[test]
    fn other_packets_are_counted() {
        for (flags, packet, reason) in [
            // Another access address; a scan request; whitened; another PHY.
            ("0300", "d6be898f 0000 000000", "not-an-advertisement"),
            ("030c", "d6be898e 430c 0100e7c25e7a 0100e7c25e7a 000000", "not-an-advertisement"),
            ("0200", PACKET, "whitened"),
            ("0340", PACKET, "not-an-advertisement"),
            ("0380", PACKET, "not-an-advertisement"),
            // No header; shorter than it says; no checksum; no address.
            ("0300", "d6be898e", "malformed-record"),
            ("0300", "d6be898e 4225 0100", "malformed-record"),
            ("0300", "d6be898e 4201 00 0000", "malformed-record"),
            ("030c", "d6be898e 4201 00 000000", "malformed-record"),
        ] {
            let reading = read(&with_header(flags, &bytes(packet))).unwrap();
            assert_eq!(skipped(&reading), [(reason, 1)], "{flags} {packet}");
        }
        assert_eq!(skipped(&read(&pcap(256, &[0; 9])).unwrap()), [("malformed-record", 1)]);
    }

    #[test]
    fn nordics_sniffer_says_its_strength_without_a_sign() {
        // Board; version 1: lengths of one byte each, counter, kind 6; version 3: a length of two, kind 2. Then length,
        // flags, channel, strength 64, counter, time.
        for header in
            ["05 06 36 01 0700 06 0a 01 25 40 0000 64000000", "05 36 00 03 0700 02 0a 01 25 40 0000 64000000"]
        {
            let record = [bytes(header), bytes(PACKET)].concat();
            assert_is_the_iphone(&read(&pcap(272, &record)).unwrap(), -64);
        }
    }

    #[test]
    fn other_records_of_nordics_sniffer_are_counted() {
        for (header, reason) in [
            ("05 36 00 03 0700 02 0a 00 25 40 0000 64000000", "checksum"),
            ("05 36 00 03 0700 02 0a 11 25 40 0000 64000000", "not-an-advertisement"),
            ("05 36 00 03 0700 0e 0a 01 25 40 0000 64000000", "not-an-advertisement"),
            ("05 36 00 03 0700 02 0a 01 25 00 0000 64000000", "no-signal-strength"),
            ("05 36 00 03 0700 02 0b 01 25 40 0000 64000000", "unsupported-record"),
            ("05 36 00 04 0700 02 0a 01 25 40 0000 64000000", "unsupported-record"),
        ] {
            let reading = read(&pcap(272, &[bytes(header), bytes(PACKET)].concat())).unwrap();
            assert_eq!(skipped(&reading), [(reason, 1)], "{header}");
        }
        assert_eq!(skipped(&read(&pcap(272, &bytes("05 36 00 03"))).unwrap()), [("malformed-record", 1)]);
    }
}

mod containers {
    use super::*;

    /// What a second writer made of the same frames in every container, and how many records of each are no sightings.
    const FILES: [(&str, &[u8], u64); 11] = [
        ("hci.btsnoop", include_bytes!("../../../../tests/cmd/sightings.in/hci.btsnoop"), 1),
        ("monitor.btsnoop", include_bytes!("../../../../tests/cmd/sightings.in/monitor.btsnoop"), 1),
        ("phone.btsnoop", include_bytes!("../../../../tests/cmd/sightings.in/phone.btsnoop"), 5),
        ("h4.pcap", include_bytes!("../../../../tests/cmd/sightings.in/h4.pcap"), 5),
        ("h4-direction.pcap", include_bytes!("../../../../tests/cmd/sightings.in/h4-direction.pcap"), 0),
        ("monitor.pcap", include_bytes!("../../../../tests/cmd/sightings.in/monitor.pcap"), 0),
        ("air.pcap", include_bytes!("../../../../tests/cmd/sightings.in/air.pcap"), 2),
        ("air.pcapng", include_bytes!("../../../../tests/cmd/sightings.in/air.pcapng"), 4),
        (
            "air-big-endian.pcapng",
            include_bytes!("../../../../tests/cmd/sightings.in/air-big-endian.pcapng"),
            0,
        ),
        ("nordic.pcap", include_bytes!("../../../../tests/cmd/sightings.in/nordic.pcap"), 1),
        ("nordic-1.pcap", include_bytes!("../../../../tests/cmd/sightings.in/nordic-1.pcap"), 0),
    ];

    const RECEIVED: &[u8] = include_bytes!("../../../../tests/cmd/match.in/received.jsonl");

    #[test]
    fn every_container_says_the_same() {
        let expected = read(RECEIVED).unwrap().sightings;
        for (name, content, others) in FILES {
            // One file has no strengths.
            let reading = Form::of(content).read(content, (name == "air.pcap").then_some(-1)).unwrap();
            let mut found = reading.sightings;
            if name == "air.pcap" {
                found
                    .iter_mut()
                    .zip(&expected)
                    .for_each(|(found, expected)| found.rssi_dbm = expected.rssi_dbm);
            }
            assert_eq!(found, expected, "{name}");
            assert_eq!(reading.skipped.values().sum::<u64>(), others, "{name}: {:?}", reading.skipped);
        }
    }

    #[test]
    fn a_file_cut_anywhere_gives_what_came_before() {
        for (name, content, _) in FILES {
            let whole = read(content).unwrap().sightings;
            let mut longest = 0;
            for length in 0..content.len() {
                let Ok(reading) = Form::of(content).read(&content[..length], None) else {
                    assert_eq!(longest, 0, "{name} cut at {length}");
                    continue;
                };
                assert!(whole.starts_with(&reading.sightings), "{name} cut at {length}");
                assert!(reading.sightings.len() >= longest, "{name} cut at {length}");
                longest = reading.sightings.len();
            }
        }
    }

    #[test]
    fn a_record_of_which_too_little_was_captured_is_counted_as_such() {
        let mut content = pcap(187, &bytes("04 3e 2b 02 01 03 01 0100e7c25e7a 1f 02011a"));
        // 46 bytes on the wire.
        content[36..40].copy_from_slice(&[46, 0, 0, 0]);
        assert_eq!(skipped(&read(&content).unwrap()), [("cut-short", 1)]);
    }

    #[test]
    fn times_before_1970_are_counted() {
        // Version 1, H4; 3 bytes, 3 bytes, received event, no drops, one microsecond before the Unix epoch.
        let record = "00000003 00000003 00000003 00000000 00dcddb30f2f7fff 043e00";
        let content = bytes(&format!("6274736e6f6f7000 00000001 000003ea {record}"));
        assert_eq!(skipped(&read(&content).unwrap()), [("value-out-of-range", 1)]);
    }

    /// A section, little-endian, and what follows.
    fn section(blocks: &str) -> Vec<u8> {
        bytes(&format!("0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000 {blocks}"))
    }

    const INTERFACE: &str = "01000000 14000000 bb00 0000 00000000 14000000";
    const SIMPLE: &str = "03000000 14000000 03000000 043e0000 14000000";
    const ENHANCED: &str = "06000000 24000000 00000000 00000000 00000000 03000000 03000000 043e0000 24000000";

    #[test]
    fn an_interface_belongs_to_its_section() {
        assert_eq!(
            skipped(&read(&section(&format!("{INTERFACE} {ENHANCED}"))).unwrap()),
            [("not-an-advertisement", 1)]
        );
        assert_eq!(skipped(&read(&section(&format!("{INTERFACE} {SIMPLE}"))).unwrap()), [("no-time", 1)]);
        let two = [section(INTERFACE), section(ENHANCED)].concat();
        insta::assert_snapshot!(problem(&two), @", record 4 at byte 76: a record of interface 0, and 0 are described");
    }

    #[test]
    fn blocks_of_other_kinds_are_passed_over_if_they_have_a_length() {
        // Name resolution, secrets, statistics, process information, a kind of nobody's: empty.
        for kind in ["04000000", "0a000000", "05000000", "01000080", "ad0b0000", "09000000", "77777777"] {
            let passed = section(&format!("{kind} 0c000000 0c000000 {INTERFACE} {SIMPLE}"));
            assert_eq!(skipped(&read(&passed).unwrap()), [("no-time", 1)], "{kind}");
            let too_short = section(&format!("{kind} 08000000 {INTERFACE}"));
            assert!(problem(&too_short).starts_with(", record 2 at byte 28: a block that breaks"), "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_record_and_byte() {
        insta::assert_snapshot!(problem(b"btsnoop\0\0\0\0"), @": the header must be 16 bytes long, not 11");
        insta::assert_snapshot!(problem(&bytes("6274736e6f6f7000 00000002 000003ea")), @": btsnoop version 2; only 1 is known");
        insta::assert_snapshot!(problem(&bytes("6274736e6f6f7000 00000001 000003eb")), @": data link 1003 is not known; known are 1001 (HCI), 1002 (H4), 2001 (Linux monitor)");
        insta::assert_snapshot!(problem(&bytes("6274736e6f6f7000 00000001 000003ea 00000003 7fffffff 00000003 00000000 0000000000000000 04")), @", record 1 at byte 16: a record of 2147483647 bytes; the longest is 262144");
        insta::assert_snapshot!(problem(&bytes("d4c3b2a1 0200")), @": the header must be 24 bytes long, not 6");
        insta::assert_snapshot!(problem(&pcap(1, &[])), @": link type 1 is none of Bluetooth; known are 187, 201, 251, 254, 256, 272");
        let mut too_long = pcap(187, &[]);
        too_long[34] = 5;
        insta::assert_snapshot!(problem(&too_long), @", record 1 at byte 24: a record of 327680 bytes; the longest is 262144");
        insta::assert_snapshot!(problem(&bytes("0a0d0d0a 1c000000 4d3c2b1a")), @", record 1 at byte 0: a block that breaks the rules of pcapng");
        insta::assert_snapshot!(problem(&section("01000000 000000ff")), @", record 2 at byte 28: a block of 4278190080 bytes; the longest is 16777216");
        insta::assert_snapshot!(problem(&section("01000000 04000000")), @", record 2 at byte 28: a block that breaks the rules of pcapng");
        insta::assert_snapshot!(problem(&section(&INTERFACE.replace("14000000 bb00", "10000000 bb00"))), @", record 2 at byte 28: a block that breaks the rules of pcapng");
    }
}
