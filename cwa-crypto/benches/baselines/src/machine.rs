//! What the figures were taken on.

use std::process::Command;

use serde::{Deserialize, Serialize};

/// Processor, compiler, and how busy the machine was.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Machine {
    /// Its name, family and model.
    pub processor: String,
    /// How many threads it runs at once.
    pub cores: usize,
    /// Of its instructions, those that matter here.
    pub instructions: Vec<String>,
    /// What `rustc --version` says.
    pub compiler: String,
    /// Load average of the last minute, five and fifteen.
    pub load: String,
}

impl Machine {
    /// As far as this system says.
    #[must_use]
    pub fn here() -> Self {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line =
                processors.lines().find(|line| line.split(':').next().is_some_and(|l| l.trim() == name));
            line.and_then(|line| line.split(':').nth(1)).map_or("unknown", str::trim)
        };
        let flags: Vec<_> = field("flags").split(' ').collect();
        let family = format!("family {}, model {}", field("cpu family"), field("model"));
        let compiler = Command::new("rustc").arg("--version").output().ok();
        let compiler = compiler.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            processor: format!("{} ({family})", field("model name")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            instructions: ["aes", "sha_ni", "avx2", "avx512f", "avx512bw", "avx512vl", "vaes"]
                .into_iter()
                .filter(|flag| flags.contains(flag))
                .map(str::to_owned)
                .collect(),
            compiler: compiler.trim().to_owned(),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }
}
