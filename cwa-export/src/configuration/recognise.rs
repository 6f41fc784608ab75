//! Tells configurations apart by the fields they have.

use prost::Message as _;

use super::{Configuration, ConfigurationError, ConfigurationV1, ConfigurationV2, refuse_export};
use crate::reader::{Fields, WireType};
use crate::wire;

/// Wire types of the top-level fields 1, 2, … of each kind; they differ in the first two.
const V1: &[WireType] = {
    use WireType::{Length as L, Varint as V};
    &[V, L, L, L, L, L, L, L, L, L, L]
};
const V2_ANDROID: &[WireType] = {
    use WireType::{Length as L, Varint as V};
    &[V, V, L, L, L, L, L, L, L, L, L, L, L, L, L, L]
};
const V2_IOS: &[WireType] = {
    use WireType::Length as L;
    &[L, L, L, L, L, L, L, L, L, L, L, L, L, L, L]
};

pub(super) fn decode(content: &[u8]) -> Result<Configuration, ConfigurationError> {
    refuse_export(content)?;
    let length = content.len();
    if length > Configuration::MAX_LENGTH {
        return Err(ConfigurationError::TooLong { length });
    }
    let v1 = shape_fits(content, V1)
        .then(|| wire::configuration_v1::ApplicationConfiguration::decode(content).ok())
        .flatten()
        .filter(|v1| v1.exposure_config.is_some() || v1.risk_score_classes.is_some());
    let android = shape_fits(content, V2_ANDROID)
        .then(|| wire::configuration_v2::ApplicationConfigurationAndroid::decode(content).ok())
        .flatten()
        .filter(|v2| v2.risk_calculation_parameters.is_some() || v2.daily_summaries_config.is_some());
    let ios = shape_fits(content, V2_IOS)
        .then(|| wire::configuration_v2::ApplicationConfigurationIos::decode(content).ok())
        .flatten()
        .filter(|v2| v2.risk_calculation_parameters.is_some() || v2.exposure_configuration.is_some());
    match (v1, android, ios) {
        (Some(v1), None, None) => Ok(Configuration::V1(Box::new(ConfigurationV1::from_wire(v1)))),
        (None, Some(v2), None) => Ok(Configuration::V2(Box::new(ConfigurationV2::from_android(v2)))),
        (None, None, Some(v2)) => Ok(Configuration::V2(Box::new(ConfigurationV2::from_ios(v2)))),
        _ => Err(ConfigurationError::Unrecognised),
    }
}

/// Whether every top-level field is one of the kind's, with its wire type.
fn shape_fits(content: &[u8], shape: &[WireType]) -> bool {
    Fields::new(content).all(|field| {
        field.is_ok_and(|field| {
            let index = usize::try_from(field.number).unwrap_or(usize::MAX).checked_sub(1);
            index.and_then(|index| shape.get(index)) == Some(&field.wire_type())
        })
    })
}
