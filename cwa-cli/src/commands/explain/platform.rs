//! What phones say: the codes of Apple's `ENErrorDomain` and the status codes in Google's `ApiException`.
//!
//! Numbers and names are those of the frameworks' public interfaces; causes and remedies, what apps and servers met.

/// A code that a phone prints.
pub(super) struct PlatformCode {
    pub(super) number: u32,
    /// As the framework writes it.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) cause: &'static str,
    pub(super) remedy: &'static str,
}

/// `ENErrorDomain`, codes 1 to 17.
pub(super) const EN_ERROR_DOMAIN: &[PlatformCode] = &[
    code(
        1,
        "unknown",
        "an unknown error",
        "The framework gives no reason.",
        "Try again later; the phone's log may say more.",
    ),
    code(
        2,
        "badParameter",
        "a parameter is missing or wrong",
        "A configuration out of its range, such as attenuation thresholds that do not ascend, or no files at all.",
        "`cwa config inspect` says what is wrong with a configuration.",
    ),
    code(
        3,
        "notEntitled",
        "the app lacks the entitlement",
        "Apple gives the exposure notification entitlement to health authorities; a provisioning profile without it was used.",
        "Sign the app with a profile that has the entitlement.",
    ),
    code(
        4,
        "notAuthorized",
        "the user has not agreed",
        "The user refused, or turned the app's authorisation off in the settings.",
        "Ask again, and say where the setting is.",
    ),
    code(
        5,
        "unsupported",
        "this device or system version cannot do it",
        "An older iOS, a device without the hardware, or a feature that is not in this version.",
        "Check the version before the call.",
    ),
    code(
        6,
        "invalidated",
        "the manager was invalidated",
        "`invalidate` was called before the operation was over.",
        "Keep one manager for as long as the app runs.",
    ),
    code(
        7,
        "bluetoothOff",
        "Bluetooth is off",
        "Nothing can be sent or received.",
        "Ask the user to turn Bluetooth on.",
    ),
    code(
        8,
        "insufficientStorage",
        "there is not enough storage",
        "The files and their unpacked form need room.",
        "Remove packages that were handed over; ask the user to free some.",
    ),
    code(
        9,
        "notEnabled",
        "exposure notifications are turned off",
        "Turned off in the app or in the settings.",
        "Enable them before asking for anything else.",
    ),
    code(
        10,
        "apiMisuse",
        "the framework was called in a way that it does not allow",
        "A second detection while one runs, or calls before activation was over.",
        "Wait for each completion handler before the next call.",
    ),
    code(
        11,
        "internal",
        "an error inside the framework",
        "Among the causes seen: a damaged database of received identifiers, and memory that ran out during a detection.",
        "Try again later; restarting the phone helps some.",
    ),
    code(
        12,
        "insufficientMemory",
        "there is not enough memory",
        "Too many keys in one call.",
        "Publish files within 750,000 keys and 16 MB; hand over fewer at once.",
    ),
    code(
        13,
        "rateLimited",
        "the framework was asked too often",
        "Detections are limited: 15 files a day up to iOS 13.5, 6 calls a day in framework mode v2.",
        "Count calls, hand over several files in one call, and wait for the next day.",
    ),
    code(
        14,
        "restricted",
        "the device's management forbids it",
        "Parental controls or a management profile.",
        "Nothing that the app could do.",
    ),
    code(
        15,
        "badFormat",
        "a file is not in the format",
        "No `EK Export v1` header, a message that cannot be read, a negative start interval, or a signature list without version.",
        "`cwa export verify` and `cwa export inspect` say what is wrong with the file.",
    ),
    code(
        16,
        "dataInaccessible",
        "the data cannot be read yet",
        "The phone was not unlocked since it started, so its storage is still encrypted.",
        "Try again after the phone was unlocked.",
    ),
    code(
        17,
        "travelStatusNotAvailable",
        "it is not known whether the user travelled",
        "The framework has no region to tell from.",
        "Do not depend on the travel status.",
    ),
];

/// Status codes in `ApiException` from Google Play Services.
pub(super) const API_EXCEPTION: &[PlatformCode] = &[
    code(
        13,
        "FAILED",
        "the call failed",
        "Play Services gives no reason; for files of keys it is often the signature or the format.",
        "`cwa export verify` says what is wrong with a file; the phone's log has the rest.",
    ),
    code(
        39500,
        "FAILED_ALREADY_STARTED",
        "exposure notifications are on already",
        "`start` was called twice.",
        "Take it as done.",
    ),
    code(
        39501,
        "FAILED_NOT_SUPPORTED",
        "this device cannot do it",
        "No Bluetooth low energy, an old Play Services, or an app that Google has not allowed.",
        "Update Play Services; check that the app's package and signing certificate are registered.",
    ),
    code(
        39502,
        "FAILED_REJECTED_OPT_IN",
        "the user has not agreed",
        "The dialogue was refused.",
        "Ask again when the user wants it.",
    ),
    code(
        39503,
        "FAILED_SERVICE_DISABLED",
        "exposure notifications are turned off",
        "Turned off by the user, or another app is the active one.",
        "Enable them before asking for anything else.",
    ),
    code(
        39504,
        "FAILED_BLUETOOTH_DISABLED",
        "Bluetooth is off",
        "Nothing can be sent or received.",
        "Ask the user to turn Bluetooth on.",
    ),
    code(
        39505,
        "FAILED_TEMPORARILY_DISABLED",
        "exposure notifications are off for now",
        "Google turned them off for this app or region for a while.",
        "Try again later.",
    ),
    code(
        39506,
        "FAILED_DISK_IO",
        "storage failed",
        "The disk is full, or a file could not be read.",
        "Remove packages that were handed over; ask the user to free some storage.",
    ),
    code(
        39507,
        "FAILED_UNAUTHORIZED",
        "the app may not call this",
        "Package name or signing certificate are not those that Google registered for the authority.",
        "Register the certificate that signs this build; debug builds need one of their own.",
    ),
    code(
        39508,
        "FAILED_RATE_LIMITED",
        "the framework was asked too often",
        "Six calls of provideDiagnosisKeys a day in framework mode v2, 20 before.",
        "Count calls, hand over several files in one call, and wait for the next day.",
    ),
];

const fn code(
    number: u32,
    name: &'static str,
    title: &'static str,
    cause: &'static str,
    remedy: &'static str,
) -> PlatformCode {
    PlatformCode { number, name, title, cause, remedy }
}
