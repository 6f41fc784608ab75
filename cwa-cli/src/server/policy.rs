//! What an operator decides, and the defaults.

use core::time::Duration;
use std::collections::BTreeSet;

use cwa_export::batch::PublicationPolicy;
use cwa_export::submission::SubmissionPolicy;

use super::portal::PortalPolicy;

/// How a server behaves. [`Policy::default`] follows the German production servers where they are right.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// After which time every answer of the phones' endpoints leaves: 100 ms. Must be longer than the work takes;
    /// later answers are counted. [`Duration::ZERO`]: at once, for tests that do not look at time.
    pub answer_deadline: Duration,
    /// Who gets which TAN for how long.
    pub verification: cwa_verify::service::Policy,
    /// What an upload may hold.
    pub submission: SubmissionPolicy,
    /// When keys are published.
    pub publication: PublicationPolicy,
    /// How the portal behaves.
    pub portal: PortalPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            answer_deadline: Duration::from_millis(100),
            verification: cwa_verify::service::Policy::default(),
            submission: SubmissionPolicy::default(),
            publication: PublicationPolicy::default(),
            portal: PortalPolicy::default(),
        }
    }
}

/// A part of the system. Each can run in a process of its own, on the same storage.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Role {
    /// Registration tokens, test results for phones, TANs.
    Verification,
    /// Results from laboratories.
    TestResult,
    /// Uploads of diagnosis keys.
    Submission,
    /// Packages and configuration for phones.
    Distribution,
    /// The jobs: closing hours, writing packages, forgetting.
    Publisher,
    /// teleTANs for health officers.
    Portal,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Verification,
        Self::TestResult,
        Self::Submission,
        Self::Distribution,
        Self::Publisher,
        Self::Portal,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::TestResult => "test-result",
            Self::Submission => "submission",
            Self::Distribution => "distribution",
            Self::Publisher => "publisher",
            Self::Portal => "portal",
        }
    }
}

impl core::str::FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

/// Not the name of a role.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a role is verification, test-result, submission, distribution, publisher or portal")]
#[non_exhaustive]
pub struct RoleError;

/// The roles of one process.
pub(super) type Roles = BTreeSet<Role>;
