//! Application configurations as the German server keeps them: YAML files, of which one includes the others.

use std::path::Path;

use cwa_export::configuration::ConfigurationV1;

use crate::failure::Failure;
use crate::input;

/// The configuration v1 in a YAML file, or in the `app-config.yaml` of a directory.
///
/// `!include NAME` takes the file `NAME` beside it; nothing outside the directory is read.
pub(crate) fn read_yaml_v1(path: &Path) -> Result<ConfigurationV1, Failure> {
    let file = if path.is_dir() { path.join("app-config.yaml") } else { path.to_owned() };
    let text = input::read_text(&file)?;
    let unreadable = |error: String| {
        Failure::input("CWA-E0401", format!("{} is no configuration v1 in YAML: {error}", file.display()))
            .help("it has min-risk-score, risk-score-classes, exposure-config and attenuation-duration; each may be \"!include FILE\"")
    };
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let options = serde_saphyr::options! { with_snippet: false }
        .with_filesystem_root(directory)
        .map_err(|error| unreadable(error.to_string()))?;
    serde_saphyr::from_str_with_options(&text, options).map_err(|error| unreadable(error.to_string()))
}
