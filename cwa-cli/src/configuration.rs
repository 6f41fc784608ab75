//! Application configurations as the German server keeps them: YAML files, of which one includes the others.

use std::path::Path;

use cwa_export::configuration::ConfigurationV1;

use crate::failure::Failure;
use crate::{input, yaml};

/// The configuration v1 in a YAML file, or in the `app-config.yaml` of a directory.
///
/// `!include NAME` takes the file `NAME` beside it; nothing outside the directory is read.
pub(crate) fn read_yaml_v1(path: &Path) -> Result<ConfigurationV1, Failure> {
    let file = if path.is_dir() { path.join("app-config.yaml") } else { path.to_owned() };
    let text = input::read_text(&file)?;
    yaml::read(&file, &text).map_err(|error| {
        Failure::input("CWA-E0401", format!("{} is no configuration v1 in YAML: {error}", file.display()))
            .help("it has min-risk-score, risk-score-classes, exposure-config and attenuation-duration; each may be \"!include FILE\"")
    })
}
