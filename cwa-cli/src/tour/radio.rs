//! Who hears whom: phones that broadcast, and scan for two to four seconds every few minutes.

use cwa_crypto::matching::Sighting;
use cwa_crypto::{Advertisement, BluetoothMetadata, KeySchedule, TransmitPower, UnixTime};
use rand::rngs::StdRng;

use super::story::Mishap;

/// The exposure notification framework of one phone: its keys, and what it heard. The app cannot look inside.
#[derive(Debug)]
pub(super) struct Radio {
    pub(super) schedule: KeySchedule,
    pub(super) sightings: Vec<Sighting>,
    transmit_power: TransmitPower,
}

/// Two phones in each other's reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encounter {
    pub(super) begin: UnixTime,
    pub(super) minutes: u64,
    /// The attenuation around which the single packets scatter, in dB.
    pub(super) attenuation_db: i8,
}

impl Radio {
    pub(super) fn new(schedule: KeySchedule, transmit_power: TransmitPower) -> Self {
        Self { schedule, sightings: Vec::new(), transmit_power }
    }

    /// Is on air at `now`; the bytes of the advertisement.
    fn broadcast(&mut self, now: UnixTime, rng: &mut StdRng) -> Vec<u8> {
        let metadata = BluetoothMetadata::v1_0(self.transmit_power);
        self.schedule.advertisement(metadata, now, rng).encode().as_ref().to_vec()
    }

    /// Hears an advertisement at `now`, from bytes as they come off the air.
    fn hear(&mut self, bytes: &[u8], rssi_dbm: i8, now: UnixTime) -> Result<(), Mishap> {
        let heard = Advertisement::decode(bytes)?;
        self.sightings.push(Sighting::new(heard.rpi, heard.aem, rssi_dbm, now));
        Ok(())
    }
}

impl Encounter {
    /// Both phones broadcast and scan throughout; how many advertisements they heard of each other.
    ///
    /// A scan comes every five minutes, the first two minutes into the encounter at most, as an encounter begins at
    /// any time between two scans. A window of two seconds catches several packets; the strongest of them counts.
    pub(super) fn happen(
        &self,
        one: &mut Radio,
        other: &mut Radio,
        rng: &mut StdRng,
    ) -> Result<usize, Mishap> {
        // Packets scatter by a few dB around the mean; fixed here, so that the tour tells the same story each time.
        const SCATTER_DB: [i8; 5] = [0, 1, -1, 1, -1];
        let before = one.sightings.len() + other.sightings.len();
        let end = self.begin.plus(self.minutes * 60);
        let mut scan = self.begin.plus(FIRST_SCAN_AFTER_SECONDS);
        for scatter in SCATTER_DB.iter().cycle() {
            if scan >= end {
                break;
            }
            let loss = self.attenuation_db.saturating_add(*scatter);
            let (from_one, from_other) = (one.broadcast(scan, rng), other.broadcast(scan, rng));
            other.hear(&from_one, one.transmit_power.dbm().saturating_sub(loss), scan)?;
            one.hear(&from_other, other.transmit_power.dbm().saturating_sub(loss), scan)?;
            scan = scan.plus(SCAN_INTERVAL_SECONDS);
        }
        Ok(one.sightings.len() + other.sightings.len() - before)
    }
}

/// Seconds from one scan to the next: five minutes.
const SCAN_INTERVAL_SECONDS: u64 = 300;

/// Seconds from the beginning of an encounter to the first scan in it.
const FIRST_SCAN_AFTER_SECONDS: u64 = 60;
