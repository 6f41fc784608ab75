use super::retention::purge;
use super::*;
use crate::store::{ConfirmError, Confirmed, ConsumeError, IssueTanError, Released, ReserveError, Reserved};
use crate::tan::TanNumber;

/// No TAN without a session.
pub async fn a_tan_is_issued_only_to_an_open_session<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    assert_is!(store.issue_tan(new_tan(1, NOW), NOW).await, Err(IssueTanError::UnknownSession));
    store.register(session(1), NOW).await.unwrap();
    assert_is!(store.issue_tan(new_tan(2, NOW), NOW).await, Err(IssueTanError::UnknownSession));
    let end = NOW.plus(21 * DAY);
    assert_is!(store.issue_tan(new_tan(1, end), end).await, Err(IssueTanError::UnknownSession));
    let issued = store.issue_tan(new_tan(1, NOW), NOW).await.unwrap();
    assert_eq!((issued.number, issued.valid_until), (TanNumber::FIRST, NOW.plus(HOUR)));
}

/// A lost answer costs nothing: asking again gives the same TAN with the same end.
pub async fn the_same_tan_is_given_until_it_is_used<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let later = NOW.plus(HOUR - 1);
    let again = store.issue_tan(new_tan(1, later), later).await.unwrap();
    assert_eq!((again.number, again.valid_until), (TanNumber::FIRST, NOW.plus(HOUR)));
    // Reserved is not used.
    store.reserve(hash, reservation(&tan, 1), later.plus(LEASE), later).await.unwrap();
    assert_eq!(store.issue_tan(new_tan(1, later), later).await.unwrap(), again);
}

/// Confirmed and consumed TANs count alike.
pub async fn two_tans_are_given_and_no_third<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    for (number, consumed) in [(1, [false, false]), (2, [true, true]), (3, [false, true])] {
        for consume in consumed {
            let (hash, tan) = tan(&store, number, NOW).await;
            if consume {
                store.consume(hash, NOW).await.unwrap();
            } else {
                store.reserve(hash, reservation(&tan, 1), NOW.plus(LEASE), NOW).await.unwrap();
                store.confirm(reservation(&tan, 1), NOW).await.unwrap();
            }
        }
        for moment in [NOW, NOW.plus(20 * DAY)] {
            assert_is!(
                store.issue_tan(new_tan(number, moment), moment).await,
                Err(IssueTanError::Exhausted { limit: 2 })
            );
        }
    }
}

/// As often as one likes; each has a number of its own.
pub async fn an_expired_unused_tan_gives_its_slot_back_and_never_returns<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (first, _) = tan(&store, 1, NOW).await;
    let mut now = NOW;
    for number in 1..5 {
        now = now.plus(HOUR);
        let issued = store.issue_tan(new_tan(1, now), now).await.unwrap();
        assert_eq!((issued.number.get(), issued.valid_until), (number, now.plus(HOUR)));
    }
    assert_is!(store.consume(first, now).await, Err(ConsumeError::Unknown));
    let (current, _) = tan(&store, 1, now).await;
    assert_is!(store.consume(current, now).await, Ok(None));
    tan(&store, 1, now).await;
}

/// It may still be confirmed, so it counts until its lease ends.
pub async fn an_expired_tan_under_a_lease_keeps_its_slot<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (used, _) = tan(&store, 1, NOW).await;
    store.consume(used, NOW).await.unwrap();
    let (hash, tan) = tan(&store, 1, NOW).await;
    let last = NOW.plus(HOUR - 1);
    store.reserve(hash, reservation(&tan, 1), last.plus(LEASE), last).await.unwrap();
    let (expired, lapsed) = (NOW.plus(HOUR), last.plus(LEASE));
    assert_is!(
        store.issue_tan(new_tan(1, expired), expired).await,
        Err(IssueTanError::Exhausted { limit: 2 })
    );
    assert_eq!(store.issue_tan(new_tan(1, lapsed), lapsed).await.unwrap().number, TanNumber::new(2));
    assert_is!(store.confirm(reservation(&tan, 1), lapsed).await, Err(ConfirmError::Unknown));
}

/// One payload at a time.
pub async fn a_reservation_excludes_every_other_payload_until_its_lease_ends<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let reserve =
        |payload, now: UnixTime| store.reserve(hash, reservation(&tan, payload), now.plus(LEASE), now);
    assert_is!(reserve(1, NOW).await, Ok(Reserved::Granted { kind: None }));
    assert_is!(
        reserve(2, NOW.plus(LEASE - 1)).await,
        Err(ReserveError::Reserved { lease_end }) if *lease_end == NOW.plus(LEASE)
    );
    assert_is!(reserve(2, NOW.plus(LEASE)).await, Ok(Reserved::Granted { .. }));
    // Only a TAN that is there and valid.
    assert_is!(
        store.reserve(key().tan(&crate::tan::Tan::from_prf(&bytes(9))), reservation(&tan, 1), NOW, NOW).await,
        Err(ReserveError::Unknown)
    );
    assert_is!(
        reserve(1, NOW.plus(HOUR)).await,
        Err(ReserveError::Expired { valid_until }) if *valid_until == NOW.plus(HOUR)
    );
    assert_is!(reserve(1, NOW.plus(HOUR - 1)).await, Ok(Reserved::Granted { .. }));
}

/// A client whose connection was cut may send the same payload at once; the lease never gets shorter.
pub async fn a_repeated_reservation_is_granted_again_and_prolonged<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let reserve = |payload, end, now| store.reserve(hash, reservation(&tan, payload), end, now);
    assert_is!(reserve(1, NOW.plus(60), NOW).await, Ok(Reserved::Granted { .. }));
    assert_is!(reserve(1, NOW.plus(90), NOW.plus(30)).await, Ok(Reserved::Granted { .. }));
    assert_is!(reserve(1, NOW.plus(80), NOW.plus(31)).await, Ok(Reserved::Granted { .. }));
    assert_is!(
        reserve(2, NOW.plus(149), NOW.plus(89)).await,
        Err(ReserveError::Reserved { lease_end }) if *lease_end == NOW.plus(90)
    );
    // Also beyond the TAN's validity: the upload has begun in time.
    let last = NOW.plus(HOUR - 1);
    assert_is!(reserve(1, last.plus(60), last).await, Ok(Reserved::Granted { .. }));
    assert_is!(reserve(1, NOW.plus(HOUR + 60), NOW.plus(HOUR)).await, Ok(Reserved::Granted { .. }));
    assert_is!(store.confirm(reservation(&tan, 1), NOW.plus(HOUR + 1)).await, Ok(Confirmed::Now));
}

/// Who was too slow learns it when confirming.
pub async fn a_lapsed_reservation_can_be_taken_over_and_then_not_confirmed<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let (slow, fast) = (reservation(&tan, 1), reservation(&tan, 2));
    let later = NOW.plus(LEASE);
    store.reserve(hash, slow, NOW.plus(LEASE), NOW).await.unwrap();
    assert_is!(store.reserve(hash, fast, later.plus(LEASE), later).await, Ok(Reserved::Granted { .. }));
    assert_is!(store.confirm(slow, later).await, Err(ConfirmError::Unknown));
    assert_is!(store.release(slow, later).await, Ok(Released::NotReserved));
    assert_is!(store.confirm(fast, later).await, Ok(Confirmed::Now));
    assert_is!(store.confirm(slow, later).await, Err(ConfirmError::Unknown));
}

/// The keys are stored; refusing the confirmation would leave the TAN for another upload.
pub async fn a_lapsed_reservation_that_nobody_took_over_can_still_be_confirmed<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    for (number, seconds) in [(1, LEASE), (2, HOUR), (3, HOUR + LEASE)] {
        let (hash, tan) = tan(&store, number, NOW).await;
        store.reserve(hash, reservation(&tan, 1), NOW.plus(LEASE), NOW).await.unwrap();
        let late = NOW.plus(seconds);
        assert_is!(store.confirm(reservation(&tan, 1), late).await, Ok(Confirmed::Now));
        assert_is!(store.consume(hash, late).await, Err(ConsumeError::Unknown));
    }
}

/// At once, not only when the lease ends.
pub async fn a_released_tan_can_be_used_for_another_payload<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let (wrong, right) = (reservation(&tan, 1), reservation(&tan, 2));
    assert_is!(store.release(wrong, NOW).await, Ok(Released::NotReserved));
    store.reserve(hash, wrong, NOW.plus(LEASE), NOW).await.unwrap();
    assert_is!(store.release(right, NOW).await, Ok(Released::NotReserved));
    assert_is!(store.release(wrong, NOW).await, Ok(Released::Now));
    assert_is!(store.release(wrong, NOW).await, Ok(Released::NotReserved));
    assert_is!(store.confirm(wrong, NOW).await, Err(ConfirmError::Unknown));
    assert_is!(store.reserve(hash, right, NOW.plus(LEASE), NOW).await, Ok(Reserved::Granted { .. }));
    assert_is!(store.confirm(right, NOW).await, Ok(Confirmed::Now));
    assert_is!(store.release(right, NOW).await, Ok(Released::NotReserved));
}

/// A client that never got its answer gets it on the second attempt.
pub async fn a_confirmed_upload_is_answered_again_until_its_tan_would_have_expired<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let upload = reservation(&tan, 1);
    store.reserve(hash, upload, NOW.plus(LEASE), NOW).await.unwrap();
    store.confirm(upload, NOW).await.unwrap();
    let again = |now: UnixTime| store.reserve(hash, upload, now.plus(LEASE), now);
    assert_is!(again(NOW).await, Ok(Reserved::Confirmed));
    assert_is!(again(NOW.plus(HOUR - 1)).await, Ok(Reserved::Confirmed));
    assert_is!(again(NOW.plus(HOUR)).await, Err(ReserveError::Unknown));
}

/// Nothing of the TAN is left but the receipt.
pub async fn a_confirmed_tan_is_unknown_with_another_payload<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    store.reserve(hash, reservation(&tan, 1), NOW.plus(LEASE), NOW).await.unwrap();
    store.confirm(reservation(&tan, 1), NOW).await.unwrap();
    let other = store.reserve(hash, reservation(&tan, 2), NOW.plus(LEASE), NOW).await;
    assert_is!(other, Err(ReserveError::Unknown));
    assert_is!(store.consume(hash, NOW).await, Err(ConsumeError::Unknown));
}

/// Between servers that are apart, the confirmation's own answer can be lost.
pub async fn a_confirmation_can_be_repeated<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let upload = reservation(&tan, 1);
    let last = NOW.plus(HOUR - 1);
    assert_is!(store.confirm(upload, NOW).await, Err(ConfirmError::Unknown));
    store.reserve(hash, upload, last.plus(LEASE), last).await.unwrap();
    assert_is!(store.confirm(upload, last).await, Ok(Confirmed::Now));
    // The lease ends after the TAN; the receipt is kept until the later of both.
    for seconds in [0, LEASE - 1] {
        assert_is!(store.confirm(upload, last.plus(seconds)).await, Ok(Confirmed::Before));
    }
    assert_is!(store.confirm(upload, last.plus(LEASE)).await, Err(ConfirmError::Unknown));
    // Repeating it has used one TAN, not three.
    assert_eq!(store.issue_tan(new_tan(1, last), last).await.unwrap().number, TanNumber::new(1));
}

/// By one caller, in time.
pub async fn a_tan_is_consumed_once<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan_itself) = tan(&store, 1, NOW).await;
    assert_is!(store.consume(hash, NOW).await, Ok(None));
    assert_is!(store.consume(hash, NOW).await, Err(ConsumeError::Unknown));
    let reserved = store.reserve(hash, reservation(&tan_itself, 1), NOW.plus(LEASE), NOW).await;
    assert_is!(reserved, Err(ReserveError::Unknown));

    let (hash, _) = tan(&store, 2, NOW).await;
    assert_is!(
        store.consume(hash, NOW.plus(HOUR)).await,
        Err(ConsumeError::Expired { valid_until }) if *valid_until == NOW.plus(HOUR)
    );
    assert_is!(store.consume(hash, NOW.plus(HOUR - 1)).await, Ok(None));
}

/// Until the lease ends; then the reservation is worth nothing any more.
pub async fn a_reserved_tan_is_not_consumed<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    store.reserve(hash, reservation(&tan, 1), NOW.plus(LEASE), NOW).await.unwrap();
    assert_is!(
        store.consume(hash, NOW.plus(LEASE - 1)).await,
        Err(ConsumeError::Reserved { lease_end }) if *lease_end == NOW.plus(LEASE)
    );
    assert_is!(store.consume(hash, NOW.plus(LEASE)).await, Ok(None));
    assert_is!(store.confirm(reservation(&tan, 1), NOW.plus(LEASE)).await, Err(ConfirmError::Unknown));
}

/// From the teleTAN to the session to the TAN.
pub async fn a_tan_knows_the_type_of_its_teletan<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    for (number, kind) in [(1, None), (2, Some(TeleTanType::Test)), (3, Some(TeleTanType::Event))] {
        issue_tele_tan(&store, number, kind, NOW).await;
        store.register(tele_tan_session(number), NOW).await.unwrap();
        let (hash, tan_itself) = tan(&store, number, NOW).await;
        let reserved = store.reserve(hash, reservation(&tan_itself, 1), NOW.plus(LEASE), NOW).await;
        assert_is!(reserved, Ok(Reserved::Granted { kind: k }) if *k == kind);
        store.confirm(reservation(&tan_itself, 1), NOW).await.unwrap();
        let (hash, _) = tan(&store, number, NOW).await;
        assert_is!(store.consume(hash, NOW).await, Ok(k) if *k == kind);
    }
}

/// A TAN given in the session's last minute is good for its hour.
pub async fn tans_outlive_their_session<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    store.register(session(1), NOW).await.unwrap();
    let end = NOW.plus(21 * DAY);
    let (hash, tan) = tan(&store, 1, end.minus(MINUTE)).await;
    purge(&store, end).await;
    assert_is!(store.session(token_hash(1), end).await, Ok(None));
    let upload = reservation(&tan, 1);
    assert_is!(store.reserve(hash, upload, end.plus(LEASE), end).await, Ok(Reserved::Granted { .. }));
    assert_is!(store.confirm(upload, end).await, Ok(Confirmed::Now));
    assert_is!(store.reserve(hash, upload, end.plus(LEASE), end).await, Ok(Reserved::Confirmed));
}
