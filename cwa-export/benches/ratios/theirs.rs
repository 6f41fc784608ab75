//! What others do: prost's messages, and inflating and hashing alone.

use flate2::{Decompress, FlushDecompress, Status};
use sha2::{Digest as _, Sha256};

/// The export as prost reads it into vectors.
#[derive(PartialEq, prost::Message)]
pub(crate) struct Export {
    #[prost(fixed64, optional, tag = "1")]
    pub(crate) start_timestamp: Option<u64>,
    #[prost(fixed64, optional, tag = "2")]
    pub(crate) end_timestamp: Option<u64>,
    #[prost(string, optional, tag = "3")]
    pub(crate) region: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) batch_num: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) batch_size: Option<i32>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) signature_infos: Vec<SignatureInfo>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) keys: Vec<Key>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) revised_keys: Vec<Key>,
}

#[derive(PartialEq, prost::Message)]
pub(crate) struct SignatureInfo {
    #[prost(string, optional, tag = "1")]
    pub(crate) app_bundle_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) android_package: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) verification_key_version: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) verification_key_id: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) signature_algorithm: Option<String>,
}

#[derive(PartialEq, prost::Message)]
pub(crate) struct Key {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) key_data: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) transmission_risk_level: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) rolling_start_interval_number: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) rolling_period: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) report_type: Option<i32>,
    #[prost(sint32, optional, tag = "6")]
    pub(crate) days_since_onset_of_symptoms: Option<i32>,
}

/// The deflated bytes of an archive's first member, as its local header has them.
pub(crate) fn first_member(archive: &[u8]) -> &[u8] {
    let short = |at: usize| usize::from(u16::from_le_bytes(archive[at..at + 2].try_into().unwrap()));
    let length = u32::from_le_bytes(archive[18..22].try_into().unwrap()) as usize;
    let begin = 30 + short(26) + short(28);
    &archive[begin..begin + length]
}

/// Inflates into a buffer that is large enough and was used before, and hashes: the least that any reader has to do.
pub(crate) fn inflate_and_hash(deflated: &[u8], buffer: &mut Vec<u8>) -> [u8; 32] {
    buffer.clear();
    let mut inflater = Decompress::new(false);
    let status = inflater.decompress_vec(deflated, buffer, FlushDecompress::Finish).unwrap();
    assert_eq!(status, Status::StreamEnd);
    Sha256::digest(buffer).into()
}
