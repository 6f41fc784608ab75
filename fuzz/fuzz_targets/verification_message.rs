//! Requests and answers of the verification server, all kinds against the same bytes.
#![no_main]

use cwa_verify::message::{
    LabResultsRequest, MAX_LAB_REQUEST_BYTES, MAX_REQUEST_BYTES, RegistrationRequest,
    RegistrationTokenAnswer, ReservationAnswer, ReservationRequest, ReserveRequest, TanAnswer, TanRequest,
    TeleTanAnswer, TestIdRequest, TestResultAnswer, TokenRequest,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let requests = [
        RegistrationRequest::parse(body).is_ok(),
        TokenRequest::parse(body).is_ok(),
        TanRequest::parse(body).is_ok(),
        ReserveRequest::parse(body).is_ok(),
        ReservationRequest::parse(body).is_ok(),
        TestIdRequest::parse(body).is_ok(),
    ];
    assert!(body.len() <= MAX_REQUEST_BYTES || !requests.contains(&true), "the size is looked at first");
    assert!(body.len() <= MAX_LAB_REQUEST_BYTES || LabResultsRequest::parse(body).is_err());
    let _ = LabResultsRequest::parse(body);
    let _ = RegistrationTokenAnswer::parse(body);
    let _ = TestResultAnswer::parse(body);
    let _ = TanAnswer::parse(body);
    let _ = TeleTanAnswer::parse(body);
    let _ = ReservationAnswer::parse(body);
});
