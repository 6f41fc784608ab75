//! Keys and signature infos as JSON: absent members stay absent, so that a file can be made anew byte for byte.

use cwa_crypto::ENIntervalNumber;
use cwa_export::ExportKey;
use cwa_export::key::{KeyError, RawKey};
use cwa_export::signature::SignatureInfo;
use serde::{Deserialize, Serialize};

/// A key, its numbers as they stand in the file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyDocument {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolling_start_interval_number: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolling_period: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transmission_risk_level: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report_type: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days_since_onset_of_symptoms: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant_of_concern: Option<i32>,
}

impl From<RawKey<'_>> for KeyDocument {
    fn from(raw: RawKey<'_>) -> Self {
        Self {
            key_data: raw.key_data.map(hex::encode),
            rolling_start_interval_number: raw.rolling_start_interval_number,
            rolling_period: raw.rolling_period,
            transmission_risk_level: raw.transmission_risk_level,
            report_type: raw.report_type,
            days_since_onset_of_symptoms: raw.days_since_onset_of_symptoms,
            variant_of_concern: raw.variant_of_concern,
        }
    }
}

impl TryFrom<&KeyDocument> for ExportKey {
    type Error = KeyDocumentError;

    fn try_from(document: &KeyDocument) -> Result<Self, Self::Error> {
        let key_data = document.key_data.as_deref().map(hex::decode).transpose()?.unwrap_or_default();
        let key_data =
            key_data.as_slice().try_into().map_err(|_| KeyError::Length { length: key_data.len() })?;
        fn number<T: TryFrom<i64>>(number: Option<i32>) -> Result<Option<T>, KeyDocumentError>
        where
            KeyError: From<T::Error>,
        {
            let number = number.map(|number| T::try_from(number.into())).transpose();
            Ok(number.map_err(KeyError::from)?)
        }
        let mut key = Self::new(key_data);
        key.rolling_start_interval_number = document
            .rolling_start_interval_number
            .map(|got| {
                u32::try_from(got).map(ENIntervalNumber::new).map_err(|_| KeyError::StartInterval { got })
            })
            .transpose()?;
        key.rolling_period = number(document.rolling_period)?;
        key.transmission_risk_level = number(document.transmission_risk_level)?;
        key.report_type = number(document.report_type)?;
        key.days_since_onset_of_symptoms = number(document.days_since_onset_of_symptoms)?;
        key.variant_of_concern = number(document.variant_of_concern)?;
        Ok(key)
    }
}

/// Why a key of a JSON document is none.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum KeyDocumentError {
    #[error("key_data is not hexadecimal")]
    Hex(#[from] hex::FromHexError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A signature info; absent members stay absent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SignatureInfoDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    app_bundle_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    android_package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_key_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_algorithm: Option<String>,
}

impl From<&SignatureInfo> for SignatureInfoDocument {
    fn from(info: &SignatureInfo) -> Self {
        Self {
            app_bundle_id: info.app_bundle_id.clone(),
            android_package: info.android_package.clone(),
            verification_key_version: info.verification_key_version.clone(),
            verification_key_id: info.verification_key_id.clone(),
            signature_algorithm: info.signature_algorithm.clone(),
        }
    }
}

impl SignatureInfoDocument {
    /// Id, version and app, for people.
    pub(crate) fn name(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let app = [&self.app_bundle_id, &self.android_package].into_iter().flatten().next();
        let app = app.map_or_else(String::new, |app| format!(" of {app}"));
        format!("{}-{}{app}", text(&self.verification_key_id), text(&self.verification_key_version))
    }
}
