use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::header::HEADER;
use crate::wire::export as wire;

fn with_header(message: &[u8]) -> Vec<u8> {
    [&HEADER, message].concat()
}

fn key() -> impl Strategy<Value = wire::TemporaryExposureKey> {
    let number = || proptest::option::of(prop_oneof![any::<i32>(), 0..300, Just(i32::MAX), Just(1 << 28)]);
    (
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
        number(),
        number(),
        number(),
        number(),
        number(),
        number(),
    )
        .prop_map(|(key_data, level, start, period, report_type, days, variant_of_concern)| {
            wire::TemporaryExposureKey {
                key_data,
                transmission_risk_level: level,
                rolling_start_interval_number: start,
                rolling_period: period,
                report_type,
                days_since_onset_of_symptoms: days,
                variant_of_concern,
            }
        })
}

fn info() -> impl Strategy<Value = wire::SignatureInfo> {
    let text = || proptest::option::of("[a-z.0-9]{0,20}");
    (text(), text(), text(), text(), text()).prop_map(|(bundle, package, version, id, algorithm)| {
        wire::SignatureInfo {
            app_bundle_id: bundle,
            android_package: package,
            verification_key_version: version,
            verification_key_id: id,
            signature_algorithm: algorithm,
        }
    })
}

fn message() -> impl Strategy<Value = wire::TemporaryExposureKeyExport> {
    let time = || proptest::option::of(any::<u64>());
    let number = || proptest::option::of(prop_oneof![any::<i32>(), 0..300, Just(i32::MAX), Just(1 << 28)]);
    let keys = || proptest::collection::vec(key(), 0..5);
    (
        time(),
        time(),
        proptest::option::of("\\PC{0,10}"),
        number(),
        number(),
        proptest::collection::vec(info(), 0..3),
        keys(),
        keys(),
    )
        .prop_map(|(start, end, region, num, size, infos, keys, revised_keys)| {
            wire::TemporaryExposureKeyExport {
                start_timestamp: start,
                end_timestamp: end,
                region,
                batch_num: num,
                batch_size: size,
                signature_infos: infos,
                keys,
                revised_keys,
            }
        })
}

/// What this reader makes of bytes, in prost's types.
fn as_prost(content: &ExportContent<'_>) -> wire::TemporaryExposureKeyExport {
    let key = |raw: RawKey<'_>| wire::TemporaryExposureKey {
        key_data: raw.key_data.map(<[u8]>::to_vec),
        transmission_risk_level: raw.transmission_risk_level,
        rolling_start_interval_number: raw.rolling_start_interval_number,
        rolling_period: raw.rolling_period,
        report_type: raw.report_type,
        days_since_onset_of_symptoms: raw.days_since_onset_of_symptoms,
        variant_of_concern: raw.variant_of_concern,
    };
    wire::TemporaryExposureKeyExport {
        start_timestamp: content.start_timestamp().map(UnixTime::as_secs),
        end_timestamp: content.end_timestamp().map(UnixTime::as_secs),
        region: content.region().map(Into::into),
        batch_num: content.batch_num(),
        batch_size: content.batch_size(),
        signature_infos: content.signature_infos().iter().map(SignatureInfo::to_wire).collect(),
        keys: content.raw_keys().map(key).collect(),
        revised_keys: content.raw_revised_keys().map(key).collect(),
    }
}

/// A varint with up to two bytes more than it needs.
fn varint(number: u64, padding: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(number, &mut bytes);
    for _ in 0..padding.min(10 - bytes.len()) {
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push(0);
    }
    bytes
}

/// Some field, known or not, with the wire type that it has or another one, its numbers in any form.
fn field(content: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![8 => 1..=9_u64, 1 => 10..20_u64, 1 => Just(536_870_911)];
    let wire_type = prop_oneof![8 => Just(None), 1 => (0..6_u64).prop_map(Some)];
    let value = prop_oneof![
        0..300_u64,
        any::<u64>(),
        any::<i32>().prop_map(|number| i64::from(number).cast_unsigned())
    ];
    (number, wire_type, value, content, 0..3_usize, 0..3_usize).prop_map(
        |(number, wire_type, value, content, pad_tag, pad_value)| {
            let usual = match number {
                1 | 2 => 1,
                3 | 6..=9 => 2,
                _ => 0,
            };
            let wire_type = wire_type.unwrap_or(usual);
            let mut bytes = varint(number << 3 | wire_type, pad_tag);
            match wire_type {
                0 => bytes.extend(varint(value, pad_value)),
                1 => bytes.extend(value.to_le_bytes()),
                2 => {
                    bytes.extend(varint(content.len() as u64, pad_value));
                    bytes.extend(content);
                }
                3 => bytes.extend(varint(number << 3 | 4, 0)),
                5 => bytes.extend(&value.to_le_bytes()[..4]),
                _ => {}
            }
            bytes
        },
    )
}

/// Messages in every form that the wire has for them, most of them well formed.
fn any_encoding() -> impl Strategy<Value = Vec<u8>> {
    let text = || {
        prop_oneof![
            Just(Vec::new()),
            "[a-z]{1,4}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..3)
        ]
    };
    let infos = (1..=6_u64, text(), 0..3_usize).prop_map(|(number, text, padding)| {
        [varint(number << 3 | 2, 0), varint(text.len() as u64, padding), text].concat()
    });
    let keys = key().prop_map(|key| key.encode_to_vec());
    let odd_keys =
        proptest::collection::vec((1..=9_u64, any::<u64>(), 0..3_usize), 0..4).prop_map(|fields| {
            fields
                .into_iter()
                .flat_map(|(number, value, padding)| {
                    [varint(number << 3, 0), varint(value, padding)].concat()
                })
                .collect()
        });
    let content = prop_oneof![2 => text(), 2 => infos, 3 => keys, 2 => odd_keys];
    proptest::collection::vec(field(content), 0..8).prop_map(|fields| fields.concat())
}

/// Whether this reader is the stricter one: groups, long texts and many infos are refused by no other.
fn is_stricter(error: &ParseContentError) -> bool {
    let of_message =
        |reason: &ReadError| matches!(reason, ReadError::Group { .. } | ReadError::TextLength { .. });
    match error {
        ParseContentError::Message(reason)
        | ParseContentError::Key { reason, .. }
        | ParseContentError::SignatureInfo { reason, .. } => of_message(reason),
        ParseContentError::TooManySignatureInfos => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn in_whatever_form_prost_reads_a_message_this_reader_reads_the_same(body in any_encoding()) {
        let theirs = wire::TemporaryExposureKeyExport::decode(body.as_slice());
        let bytes = with_header(&body);
        match ExportContent::parse(&bytes) {
            Ok(content) => prop_assert_eq!(theirs, Ok(as_prost(&content))),
            Err(error) => prop_assert!(theirs.is_err() || is_stricter(&error), "{:?} is read by prost", error),
        }
    }

    #[test]
    fn this_reader_reads_what_prost_wrote(message in message()) {
        let bytes = with_header(&message.encode_to_vec());
        let content = ExportContent::parse(&bytes).unwrap();
        prop_assert_eq!(as_prost(&content), message);
        prop_assert_eq!(content.anomalies(), Anomalies::default());
    }

    #[test]
    fn what_is_noted_of_keys_while_they_are_read_is_so(
        keys in proptest::collection::vec((0..6_u8, 15..=17_usize, 143..=145_i32, any::<bool>()), 0..5),
    ) {
        // Keys of 16 bytes in most cases, usable in most.
        let key = |&(byte, length, period, is_odd): &(u8, usize, i32, bool)| wire::TemporaryExposureKey {
            key_data: Some(vec![byte; if is_odd { length } else { 16 }]),
            rolling_period: Some(if is_odd { period } else { 144 }),
            ..Default::default()
        };
        let (keys, revised_keys) = keys.split_at(keys.len() * 3 / 4);
        let message = wire::TemporaryExposureKeyExport {
            keys: keys.iter().map(key).collect(),
            revised_keys: revised_keys.iter().map(key).collect(),
            ..Default::default()
        };
        let all: Vec<_> = message.keys.iter().chain(&message.revised_keys).collect();
        let bytes = with_header(&message.encode_to_vec());
        let content = ExportContent::parse(&bytes).unwrap();
        let is_usable = |key: &&wire::TemporaryExposureKey| {
            key.key_data.as_ref().unwrap().len() == 16 && key.rolling_period != Some(145)
        };
        prop_assert_eq!(content.all_keys_are_usable(), all.iter().all(is_usable));
        let data: Vec<_> = all.iter().filter_map(|key| key.key_data.as_ref().filter(|data| data.len() == 16)).collect();
        prop_assert_eq!(content.keys_ascend(), data.windows(2).all(|pair| pair[0] < pair[1]));
        let usable: Vec<_> = all.iter().copied().filter(is_usable).map(|key| key.key_data.clone().unwrap()).collect();
        let read: Vec<_> = content.keys().chain(content.revised_keys()).map(|key| key.key_data.to_vec()).collect();
        prop_assert_eq!(read, usable);
    }

    #[test]
    fn the_shortest_way_to_read_a_key_is_the_long_way_too(
        data in any::<[u8; 16]>(), level in 0..10_i32, start in prop_oneof![1 << 21..1 << 28, any::<i32>()],
        period in 120..150_i32, more in proptest::option::of((0..7_i32, -70..70_i32)), flip in 0..1000_usize,
    ) {
        let mut message = wire::TemporaryExposureKey {
            key_data: Some(data.to_vec()),
            transmission_risk_level: Some(level),
            rolling_start_interval_number: Some(start),
            rolling_period: Some(period),
            report_type: more.map(|(report_type, _)| report_type),
            days_since_onset_of_symptoms: more.map(|(_, days)| days),
            variant_of_concern: None,
        }
        .encode_to_vec();
        // In one of four, one bit is another.
        if let Some(byte) = message.get_mut(flip / 8) {
            *byte ^= 1 << (flip % 8);
        }
        let mut anomalies = Anomalies::default();
        let long = RawKey::read_any(&message, &mut anomalies).map(ExportKey::try_from);
        match ExportKey::read_usual(&message) {
            Some(usual) => {
                prop_assert_eq!(long, Ok(Ok(usual)));
                prop_assert_eq!(anomalies, Anomalies::default());
            }
            // What is as publishers write it does go this way.
            None => prop_assert!(
                flip / 8 < message.len() || !matches!(long, Ok(Ok(_))) || period < 128 || !(1 << 21..1 << 28).contains(&start)
                    || more.is_some_and(|(_, days)| !(-64..=63).contains(&days))
            ),
        }
    }

    #[test]
    fn the_short_way_to_read_a_key_is_the_long_way(key in key(), flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 0..3)) {
        let mut message = key.encode_to_vec();
        for (at, bit) in flips {
            if !message.is_empty() {
                let at = at.index(message.len());
                message[at] ^= 1 << bit;
            }
        }
        let any = RawKey::read_any(&message, &mut Anomalies::default());
        if let Some(usual) = ExportKey::read_usual(&message) {
            prop_assert_eq!(any.map(ExportKey::try_from), Ok(Ok(usual)));
        }
        if let Some(short) = RawKey::read_canonical(&message) {
            let mut anomalies = Anomalies::default();
            prop_assert_eq!(RawKey::read_any(&message, &mut anomalies), Ok(short));
            prop_assert_eq!(anomalies, Anomalies::default());
        }
    }

    #[test]
    fn what_this_reader_takes_prost_reads_the_same(message in message(), flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 0..4)) {
        let mut body = message.encode_to_vec();
        for (at, bit) in flips {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] ^= 1 << bit;
            }
        }
        let bytes = with_header(&body);
        if let Ok(content) = ExportContent::parse(&bytes) {
            let theirs = wire::TemporaryExposureKeyExport::decode(body.as_slice());
            prop_assert_eq!(theirs, Ok(as_prost(&content)));
        }
    }
}

#[test]
fn what_is_unusual_is_counted() {
    // Field 9 is unknown; batch_num twice, the second 1 in two bytes; a start of 2^33 in a key.
    let bytes = with_header(&[
        0x48, 0x01, 0x20, 0x01, 0x20, 0x81, 0x00, 0x3a, 0x07, 0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01,
    ]);
    let content = ExportContent::parse(&bytes).unwrap();
    assert_eq!(
        content.anomalies(),
        Anomalies { unknown_fields: 1, repeated_fields: 1, not_minimal: 1, overflowing: 1 }
    );
}

#[test]
fn keys_are_found_wherever_they_stand() {
    // A key behind a revised one and an unknown field, its tag in two bytes; then one whose length is.
    let bytes = with_header(&[
        0x42, 0x02, 0x20, 0x01, 0x48, 0x01, 0xba, 0x00, 0x02, 0x20, 0x02, 0x3a, 0x82, 0x00, 0x20, 0x03,
    ]);
    let content = ExportContent::parse(&bytes).unwrap();
    let periods = |keys: &mut dyn Iterator<Item = RawKey<'_>>| -> Vec<_> {
        keys.map(|key| key.rolling_period.unwrap()).collect()
    };
    assert_eq!(periods(&mut content.raw_keys()), [2, 3]);
    assert_eq!(periods(&mut content.raw_revised_keys()), [1]);
    assert_eq!((content.key_count(), content.revised_key_count()), (2, 1));
}

#[test]
fn a_key_out_of_shape_has_its_number_in_the_error() {
    let message = wire::TemporaryExposureKeyExport {
        keys: vec![
            wire::TemporaryExposureKey { key_data: Some(vec![1; 16]), ..Default::default() },
            wire::TemporaryExposureKey { key_data: Some(vec![1; 15]), ..Default::default() },
        ],
        ..Default::default()
    };
    let bytes = with_header(&message.encode_to_vec());
    let content = ExportContent::parse(&bytes).unwrap();
    let error = content.to_export().unwrap_err();
    assert_eq!(error, ContentKeyError { number: 2, revised: false, reason: KeyError::Length { length: 15 } });
    assert_eq!((content.key_count(), content.keys().count()), (2, 1));
}

#[test]
fn too_many_infos_and_wrong_types_are_refused() {
    let eleven = with_header(&[0x32, 0x00].repeat(11));
    assert_eq!(ExportContent::parse(&eleven).unwrap_err(), ParseContentError::TooManySignatureInfos);
    let number_as_key = with_header(&[0x38, 0x01]);
    assert!(matches!(ExportContent::parse(&number_as_key), Err(ParseContentError::Message(_))));
    let key_with_text_as_level = with_header(&[0x3a, 0x02, 0x12, 0x00]);
    assert!(matches!(
        ExportContent::parse(&key_with_text_as_level),
        Err(ParseContentError::Key { number: 1, revised: false, .. })
    ));
}
