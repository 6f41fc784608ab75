//! `cwa risk`: the score, the class, and every step to them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cwa_risk::cwa::{Platform, RiskScoreClasses, combined_risk_score};
use cwa_risk::{NonNegative, Step};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::Answer;
use crate::configuration;
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, style};
use crate::risk::{
    CwaV1Parameters, ExposureItem, GaenV1Parameters, ItemError, RiskConfiguration, ScoredItem, combined_input,
};

/// Risk scores, with their reasons.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RiskCommand {
    /// The risk score of exposures under given parameters, its class, and the steps; exit 1 where the platform's app
    /// would have failed.
    Score(ScoreArguments),
    /// The JSON schema of an engine's parameter and exposure files.
    Schema(SchemaArguments),
}

/// Arguments of `cwa risk score`.
#[derive(Debug, clap::Args)]
pub(crate) struct ScoreArguments {
    /// The published rules to score by.
    #[arg(long, value_name = "ENGINE")]
    engine: Engine,
    /// Whose rounding, caps and failures apply.
    #[arg(long, value_name = "PLATFORM", default_value = "exact")]
    platform: PlatformName,
    /// Parameters in JSON (`cwa risk schema ENGINE`), or the German server's YAML: the directory, its app-config.yaml, or
    /// one file with all of it.
    #[arg(long, value_name = "FILE")]
    parameters: PathBuf,
    /// Exposures in JSON: an object, or a list of them.
    #[arg(long, value_name = "FILE")]
    exposures: PathBuf,
}

/// Arguments of `cwa risk schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArguments {
    /// The engine whose files are described.
    engine: Engine,
}

/// A published way to score.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Engine {
    /// The total risk score of framework v1: 0 to 4096.
    GaenV1,
    /// The combined risk score of Corona-Warn-App 1.0 to 1.8 and its class.
    CwaV1,
}

/// By whose rules.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PlatformName {
    /// Nothing is rounded.
    Exact,
    /// As the Android app and framework did.
    Android,
    /// As the iOS app and framework did.
    Ios,
}

impl From<PlatformName> for Platform {
    fn from(name: PlatformName) -> Self {
        match name {
            PlatformName::Exact => Self::Exact,
            PlatformName::Android => Self::Android,
            PlatformName::Ios => Self::Ios,
        }
    }
}

impl RiskCommand {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Score(arguments) => score(arguments, output),
            Self::Schema(arguments) => schema(arguments, output),
        }
    }
}

/// The answer of `cwa risk score`.
#[derive(Serialize)]
struct Scored {
    engine: Engine,
    platform: Platform,
    score: NonNegative,
    /// The score as a decimal or a fraction, where JSON's number is only near it.
    score_exact: String,
    /// The label of the class; `NoClass` in a gap; `null` if the parameters have no classes or the app failed.
    class: Option<String>,
    /// Why the platform's app had no class for the score.
    #[serde(skip_serializing_if = "Option::is_none")]
    class_error: Option<String>,
    /// Of the whole; for framework v1, of the exposure whose score it is.
    steps: Vec<Step>,
    exposures: Vec<ScoredItem>,
}

const NO_CLASS: &str = "NoClass";

fn score(arguments: &ScoreArguments, output: &mut Output) -> Result<Answer, Failure> {
    let platform = arguments.platform.into();
    let configuration = read_parameters(arguments.engine, &arguments.parameters)?;
    let items = read_exposures(&arguments.exposures)?;
    let unscoreable = |error: ItemError| {
        Failure::input(
            "CWA-E0502",
            format!("the exposures in {} cannot be scored", arguments.exposures.display()),
        )
        .help("`cwa risk schema ENGINE` prints what an exposure consists of")
        .caused_by(error)
    };
    let (score, steps, exposures) =
        match (arguments.engine, &configuration.framework, &configuration.combined) {
            (Engine::GaenV1, Some(framework), _) => {
                let mut exposures = Vec::new();
                for item in &items {
                    exposures.extend(item.scored(framework).map_err(unscoreable)?);
                }
                let highest = exposures.iter().rev().max_by_key(|exposure| exposure.score);
                let (score, steps) = highest.map_or((0, Vec::new()), |of| (of.score, of.steps.clone()));
                (NonNegative::from(score), steps, exposures)
            }
            (Engine::CwaV1, framework, Some(combined)) => {
                let (input, exposures) =
                    combined_input(&items, framework.as_ref(), platform).map_err(unscoreable)?;
                let risk = combined_risk_score(&input, combined, platform).map_err(|error| {
                    let parameters = arguments.parameters.display();
                    Failure::input("CWA-E0503", format!("nothing can be scored with {parameters}"))
                        .caused_by(error)
                })?;
                (risk.score(), risk.steps().to_vec(), exposures)
            }
            // Each engine's file has its part.
            (Engine::GaenV1, None, _) | (Engine::CwaV1, _, None) => {
                return Err(Failure::input("CWA-E0501", "the parameters are those of another engine"));
            }
        };
    let mut document = Scored {
        engine: arguments.engine,
        platform,
        score,
        score_exact: score.to_string(),
        class: None,
        class_error: None,
        steps,
        exposures,
    };
    if let Some(classes) = &configuration.classes {
        document.classify(classes);
    }
    output.answer("cwa.risk.score/1", &document, |text| write_scored(text, &document))?;
    Ok(if document.class_error.is_some() { Answer::No } else { Answer::Yes })
}

impl Scored {
    fn classify(&mut self, classes: &RiskScoreClasses) {
        match classes.classify(self.score, self.platform) {
            Ok(found) => {
                self.class = Some(found.label().unwrap_or(NO_CLASS).to_owned());
                self.steps.push(found.step());
            }
            Err(error) => self.class_error = Some(error.to_string()),
        }
    }
}

fn read_parameters(engine: Engine, path: &Path) -> Result<RiskConfiguration, Failure> {
    let is_yaml =
        path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml {
        let configuration = configuration::read_yaml_v1(path)?;
        let mut configuration = RiskConfiguration::try_from(&configuration).map_err(|error| {
            Failure::input("CWA-E0501", format!("nothing can be scored with {}", path.display()))
                .help(format!("`cwa config inspect {}` says what else is wrong", path.display()))
                .caused_by(error)
        })?;
        if engine == Engine::GaenV1 {
            // The German classes are those of the combined score.
            configuration.classes = None;
        }
        return Ok(configuration);
    }
    Ok(match engine {
        Engine::GaenV1 => parse::<GaenV1Parameters>("CWA-E0501", path, "parameters")?.into(),
        Engine::CwaV1 => parse::<CwaV1Parameters>("CWA-E0501", path, "parameters")?.into(),
    })
}

fn read_exposures(path: &Path) -> Result<Vec<ExposureItem>, Failure> {
    let text = input::read_text(path)?;
    if text.trim_start().starts_with('[') {
        return parse_text("CWA-E0502", path, "exposures", &text);
    }
    Ok(vec![parse_text("CWA-E0502", path, "exposures", &text)?])
}

fn parse<T: DeserializeOwned>(code: &'static str, path: &Path, what: &str) -> Result<T, Failure> {
    parse_text(code, path, what, &input::read_text(path)?)
}

fn parse_text<T: DeserializeOwned>(
    code: &'static str,
    path: &Path,
    what: &str,
    text: &str,
) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::input(code, format!("{} cannot be read as {what}", path.display()))
            .help("`cwa risk schema ENGINE` prints what they consist of")
            .caused_by(error)
    })
}

fn write_scored(text: &mut dyn Write, scored: &Scored) -> io::Result<()> {
    let (strong, faint, bad) = (style::STRONG, style::FAINT, style::BAD);
    writeln!(text, "{strong}score  {}{strong:#}", scored.score)?;
    match (scored.class.as_deref(), &scored.class_error) {
        (Some(NO_CLASS), _) => {
            writeln!(
                text,
                "{strong}class  {bad}none: the score is in a gap between classes{bad:#}{strong:#}"
            )?;
        }
        (Some(class), _) => writeln!(text, "{strong}class  {class}{strong:#}")?,
        (None, Some(error)) => writeln!(text, "{strong}class  {bad}none: {error}{bad:#}{strong:#}")?,
        (None, None) => {}
    }
    // One exposure of framework v1 is its own explanation.
    if scored.engine == Engine::CwaV1 || scored.exposures.len() != 1 {
        for (number, exposure) in (1..).zip(&scored.exposures) {
            writeln!(text, "\nexposure {number}: total risk score {}", exposure.score)?;
            write_steps(text, &exposure.steps)?;
        }
    }
    if scored.engine == Engine::GaenV1 && scored.exposures.len() != 1 {
        let own = scored.steps.iter().filter(|step| matches!(step, Step::Class { .. }));
        writeln!(text, "\n{faint}the score is the highest of all exposures{faint:#}")?;
        return own.into_iter().try_for_each(|step| writeln!(text, "  {step}"));
    }
    writeln!(text)?;
    write_steps(text, &scored.steps)
}

fn write_steps(text: &mut dyn Write, steps: &[Step]) -> io::Result<()> {
    steps.iter().try_for_each(|step| writeln!(text, "  {step}"))
}

/// The answer of `cwa risk schema`.
#[derive(Serialize)]
struct Schema {
    engine: Engine,
    json_schema: serde_json::Value,
}

fn schema(arguments: &SchemaArguments, output: &mut Output) -> Result<Answer, Failure> {
    let file = match arguments.engine {
        Engine::GaenV1 => "risk-gaen-v1.json",
        Engine::CwaV1 => "risk-cwa-v1.json",
    };
    let text = cwa_test_vectors::schemas().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
    let document = Schema {
        engine: arguments.engine,
        json_schema: serde_json::from_str(text).map_err(|error| {
            Failure::input("CWA-E0504", format!("the built-in schema {file} is damaged")).caused_by(error)
        })?,
    };
    output.answer("cwa.risk.schema/1", &document, |out| out.write_all(text.as_bytes()))?;
    Ok(Answer::Yes)
}
