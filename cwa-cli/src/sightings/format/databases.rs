//! Rows of the databases of RaMBLE and microG, made sightings. The database itself is read elsewhere.

use std::collections::{BTreeMap, HashMap};

use cwa_crypto::{Advertisement, UnixTime};

use super::{Cause, Collector, Heard, Reading, SkipReason};

/// A value of a row, as databases of loose types hold it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    /// Text or a blob.
    Bytes(&'a [u8]),
    /// Nothing that any column of these databases should hold.
    Other,
}

/// RaMBLE: `devices(id, service_data)` says what a device sent, `locations(device_id, timestamp, rssi)` when, in seconds.
///
/// Each location is one sighting.
#[derive(Debug)]
pub(crate) struct RambleReader {
    collector: Collector,
    /// What phones sent.
    phones: HashMap<i64, Advertisement>,
    /// Why the others are none. They are most, and a row of one is a few bytes, so that little is kept of it.
    others: BTreeMap<i64, SkipReason>,
}

/// Largest number of devices taken from one database: a new one every ten seconds for a year. 80 MB, if none is a phone.
pub(crate) const MAXIMUM_DEVICES: usize = 4_000_000;

impl RambleReader {
    pub(crate) fn new(missing_rssi_dbm: Option<i8>) -> Self {
        let collector = Collector::new(missing_rssi_dbm);
        Self { collector, phones: HashMap::new(), others: BTreeMap::new() }
    }

    /// Takes a row of `devices`. The service data is the UUID and the data in hex, `fd6f:` and 40 digits.
    ///
    /// # Errors
    ///
    /// There are more devices than any database may have.
    pub(crate) fn device(&mut self, id: Value<'_>, service_data: Value<'_>) -> Result<(), Cause> {
        // A device that nothing can refer to has not been seen.
        let Value::Integer(id) = id else { return Ok(()) };
        if self.phones.len() + self.others.len() == MAXIMUM_DEVICES {
            return Err(Cause::TooManyDevices);
        }
        match sent(service_data) {
            Ok(sent) => drop(self.phones.insert(id, sent)),
            Err(reason) => drop(self.others.insert(id, reason)),
        }
        Ok(())
    }

    /// Takes a row of `locations`; all devices come first. Where it was is not among its columns.
    ///
    /// # Errors
    ///
    /// There are more sightings than any file may have.
    pub(crate) fn location(
        &mut self,
        device_id: Value<'_>,
        timestamp: Value<'_>,
        rssi: Value<'_>,
    ) -> Result<(), Cause> {
        let heard = || {
            let Value::Integer(device_id) = device_id else { return Err(SkipReason::ValueType) };
            let sent = self.phones.get(&device_id);
            let sent =
                sent.ok_or_else(|| *self.others.get(&device_id).unwrap_or(&SkipReason::UnknownDevice))?;
            let seen_at = time(integer(timestamp)?)?;
            let rssi_dbm = signal_strength(rssi)?;
            Ok(Heard { rpi: sent.rpi, aem: sent.aem, rssi_dbm, from: seen_at, to: seen_at })
        };
        take(heard(), &mut self.collector)
    }

    pub(crate) fn finish(self) -> Reading {
        self.collector.finish()
    }
}

/// microG: `advertisements(rpi, aem, timestamp, rssi, duration)`, times in milliseconds.
///
/// Each row is about the while from its first to its last frame, with the mean of their strengths.
#[derive(Debug)]
pub(crate) struct MicrogReader {
    collector: Collector,
}

impl MicrogReader {
    pub(crate) fn new(missing_rssi_dbm: Option<i8>) -> Self {
        Self { collector: Collector::new(missing_rssi_dbm) }
    }

    /// Takes a row. microG keeps as metadata whatever followed the identifier, of any length; there must be 4 bytes.
    ///
    /// # Errors
    ///
    /// There are more sightings than any file may have.
    pub(crate) fn advertisement(
        &mut self,
        rpi: Value<'_>,
        aem: Value<'_>,
        timestamp: Value<'_>,
        rssi: Value<'_>,
        duration: Value<'_>,
    ) -> Result<(), Cause> {
        let heard = || {
            let (Value::Bytes(rpi), Value::Bytes(aem)) = (rpi, aem) else {
                return Err(SkipReason::ValueType);
            };
            let begun = integer(timestamp)?;
            let ended = begun.checked_add(integer(duration)?).ok_or(SkipReason::ValueOutOfRange)?;
            Ok(Heard {
                rpi: rpi.try_into().map_err(|_| SkipReason::IdentifierLength)?,
                aem: aem.try_into().map_err(|_| SkipReason::MetadataLength)?,
                rssi_dbm: signal_strength(rssi)?,
                from: time(begun.div_euclid(1000))?,
                to: time(ended.div_euclid(1000))?,
            })
        };
        take(heard(), &mut self.collector)
    }

    pub(crate) fn finish(self) -> Reading {
        self.collector.finish()
    }
}

/// What a device of RaMBLE sent, from the hex of its service data.
fn sent(service_data: Value<'_>) -> Result<Advertisement, SkipReason> {
    let text = match service_data {
        Value::Bytes(bytes) => core::str::from_utf8(bytes).map_err(|_| SkipReason::ValueType)?,
        // A device that sent no service data.
        Value::Null => return Err(SkipReason::NoExposureNotification),
        Value::Integer(_) | Value::Other => return Err(SkipReason::ValueType),
    };
    let (uuid, data) = text.split_once(':').ok_or(SkipReason::NoExposureNotification)?;
    if !uuid.eq_ignore_ascii_case("fd6f") {
        return Err(SkipReason::NoExposureNotification);
    }
    let data = hex::decode(data).map_err(|_| SkipReason::ValueType)?;
    Advertisement::from_service_data(&data).map_err(|_| SkipReason::ServiceDataLength)
}

fn take(heard: Result<Heard, SkipReason>, collector: &mut Collector) -> Result<(), Cause> {
    match heard {
        Ok(heard) => Ok(collector.heard(heard)?),
        Err(reason) => {
            collector.skip(reason);
            Ok(())
        }
    }
}

fn integer(value: Value<'_>) -> Result<i64, SkipReason> {
    match value {
        Value::Integer(integer) => Ok(integer),
        Value::Null | Value::Bytes(_) | Value::Other => Err(SkipReason::ValueType),
    }
}

fn signal_strength(rssi: Value<'_>) -> Result<Option<i8>, SkipReason> {
    match rssi {
        Value::Null => Ok(None),
        rssi => i8::try_from(integer(rssi)?).map(Some).map_err(|_| SkipReason::ValueOutOfRange),
    }
}

fn time(seconds: i64) -> Result<UnixTime, SkipReason> {
    super::time(seconds).ok_or(SkipReason::ValueOutOfRange)
}
