//! YAML as the German server keeps its configuration: files of which one includes the others.

use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads `text`, which came from the file at `path`; `!include NAME` takes the file `NAME` beside it, and nothing
/// outside its directory.
///
/// # Errors
///
/// What is wrong with the text, without quoting it.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    text: &str,
) -> Result<T, Box<dyn core::error::Error + Send + Sync>> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What is no number is told by lint, with the parameter's name.
    let options = serde_saphyr::options! {
        with_snippet: false,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
    };
    let options = options.with_filesystem_root(directory)?;
    Ok(serde_saphyr::from_str_with_options(text, options)?)
}
