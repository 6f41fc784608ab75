//! Bodies of requests and answers: JSON, field names of the German servers, fixed size.
//!
//! Every request of a phone and every answer to one, success, error or fake, has exactly [`BODY_BYTES`] bytes: whoever
//! watches the wire cannot tell them apart by size. What the German servers pad by a constant number of characters,
//! so that a result with a laboratory's name is longer than one without, is padded here after it was written.
//!
//! Parsers take bytes as they came, check the size before anything else, ignore members they do not know, and never
//! put what they read into an error.

use rand_core::CryptoRng;
use serde::Serialize;

mod answer;
mod request;

pub use answer::{
    AnswerError, RegistrationTokenAnswer, ReservationAnswer, TanAnswer, TeleTanAnswer, TestResultAnswer,
    error_body,
};
pub use request::{
    BodyDigest, LabResult, LabResultsRequest, RegistrationKey, RegistrationRequest, RequestError,
    ReservationRequest, ReserveRequest, TanRequest, TestIdRequest, TokenRequest,
};

/// Bytes of every request of a phone and of every answer to one.
pub const BODY_BYTES: usize = 250;

/// The most bytes of a request.
pub const MAX_REQUEST_BYTES: usize = 10_000;

/// The most bytes of a laboratory's upload: some ten thousand results.
pub const MAX_LAB_REQUEST_BYTES: usize = 1 << 20;

/// Writes a message and pads it to [`BODY_BYTES`] with random letters and digits.
///
/// Random, so that what compresses the connection cannot tell padding from content.
fn pad<M: Serialize>(message: impl Fn(String) -> M, rng: &mut impl CryptoRng) -> Vec<u8> {
    let bare = json(&message(String::new())).len();
    debug_assert!(bare <= BODY_BYTES, "{bare} bytes do not fit");
    json(&message(padding(BODY_BYTES.saturating_sub(bare), rng)))
}

fn json(message: &impl Serialize) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "messages are structures of strings and numbers; writing to memory cannot fail"
    )]
    serde_json::to_vec(message).expect("a structure of strings and numbers")
}

/// So many random letters and digits.
fn padding(length: usize, rng: &mut impl CryptoRng) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut padding = String::with_capacity(length);
    while padding.len() < length {
        // 62 of the 64 values of six random bits have a character.
        if let Some(&character) = ALPHABET.get(rng.next_u32() as usize & 63) {
            padding.push(char::from(character));
        }
    }
    padding
}
