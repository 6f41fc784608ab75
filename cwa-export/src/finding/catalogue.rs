//! Every code, with its weight, cause and remedy. Codes are stable: they are added, never changed or reused.

use super::{Explanation, Severity};

macro_rules! codes {
    ($($name:ident, $text:literal, $severity:ident, $title:literal, $cause:literal, $remedy:literal;)+) => {
        /// A stable code of a finding: `CWA-E…` and `CWA-W…` tell its usual weight.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $title, ".")] $name,)+
        }

        impl Code {
            /// Every code of this crate.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as it is printed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// How much it weighs unless a profile says otherwise.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// What it means.
            #[must_use]
            pub const fn explanation(self) -> Explanation {
                match self {
                    $(Self::$name => Explanation { code: self, title: $title, cause: $cause, remedy: $remedy },)+
                }
            }
        }
    };
}

codes! {
    // 10: the archive
    ArchiveUnreadable, "CWA-E1001", Error, "the archive cannot be read",
        "It is not a ZIP archive, is cut off, or is built so that two readers could see different files in it. An archive that readers disagree about can show one thing to the verifier and another to the phone.",
        "Fetch the file again; if it stays so, it was made or changed by something that is not a publisher.";
    UnexpectedMember, "CWA-E1002", Error, "the archive holds another file",
        "Phones accept `export.bin` and `export.sig` and nothing else. Dutch archives carry a `content.sig` that their own app takes out first.",
        "Verify with `--profile lenient`, or re-pack the two files.";
    // 11: structure
    NotAnExport, "CWA-E1101", Error, "the header is not that of an export",
        "An exposure key export begins with the 16 bytes `EK Export v1` and four spaces.",
        "Check that the file is an export and not configuration or statistics, which are signed by the same key.";
    Malformed, "CWA-E1102", Error, "the protobuf message cannot be read",
        "The bytes behind the header are no message of the format: cut off, wrong wire type, or lengths beyond the end.",
        "Fetch the file again; a transfer that went through text mode or was cut off does this.";
    UnknownField, "CWA-W1103", Warning, "the file has fields that the format does not know",
        "A later revision of the format, or an extension. Readers pass over them; the signature covers them.",
        "None needed, if the signature verifies.";
    RepeatedField, "CWA-E1104", Error, "a field that may occur once occurs again",
        "Readers take the last occurrence, or join them; what a verifier and a phone make of it need not be the same.",
        "Ask the publisher: no known writer does this.";
    NotCanonical, "CWA-W1105", Warning, "numbers are not in their shortest form",
        "The same content can be written in other bytes. The signature covers the bytes, so this changes nothing that is signed.",
        "None needed, if the signature verifies.";
    NumberOverflow, "CWA-E1106", Error, "a number does not fit its field",
        "Readers cut such a number off, or refuse it; what they see need not be the same.",
        "Ask the publisher: no known writer does this.";
    BatchInvalid, "CWA-E1107", Error, "the batch number does not fit the batch size",
        "Both must be there, and 1 <= batch_num <= batch_size; Android waits for all files of a batch otherwise.",
        "Publishers write 1 and 1 for a single file.";
    TimesInvalid, "CWA-E1108", Error, "the export's start is not before its end",
        "The two time stamps give the window in which keys were published.",
        "Ask the publisher.";
    SignatureListMalformed, "CWA-E1109", Error, "export.sig cannot be read",
        "The bytes are no signature list, or hold something that a signature list does not.",
        "Fetch the file again; nothing in `export.sig` is protected by a signature, so anybody could have changed it.";
    // 12: signature and trust
    SignatureMismatch, "CWA-E1201", Error, "no signature verifies",
        "The content is not what the holder of the key signed: changed on the way, or signed by another key, or another part of the file was signed.",
        "Fetch the file again. If it stays so, do not use it.";
    NoTrustedKey, "CWA-E1202", Error, "no trusted key made this signature",
        "The signature names a key that the trust store does not hold.",
        "Give the authority's public key with `--public-key FILE`; sample keys need `--trust sample`.";
    Unsigned, "CWA-E1203", Error, "there is no signature",
        "A package without a signature can come from anybody. Some readers accept an empty signature list; phones do not.",
        "Give the signature file with `--signature FILE` if the export came bare.";
    SignatureEncoding, "CWA-E1204", Error, "a signature is not in strict DER",
        "Phones read ECDSA signatures in DER. Security modules often give 64 raw bytes instead, which publishers have forgotten to convert.",
        "The publisher must encode r and s as a DER sequence of two integers.";
    SignatureInfoMismatch, "CWA-E1205", Error, "a signature's name is not one the export lists",
        "`export.sig` is not protected by any signature; only the same name within the signed export shows that it was meant.",
        "Ask the publisher; `--profile lenient` accepts it.";
    SignatureCount, "CWA-E1206", Error, "signatures and signature infos differ in number",
        "Android refuses an export with another number of signatures than it lists. No profile accepts it, though some readers do.",
        "Ask the publisher.";
    SignatureBatch, "CWA-E1207", Error, "a signature's batch numbers are not those of the export",
        "They must be there and repeat the export's.",
        "Ask the publisher; `--profile lenient` accepts it.";
    SignatureAlgorithm, "CWA-E1208", Error, "the signature algorithm is not ECDSA with SHA-256",
        "The format knows the object identifier 1.2.840.10045.4.3.2 only; early files have text in its place.",
        "`--profile lenient` accepts the early spellings.";
    LegacySignatureInfo, "CWA-E1209", Error, "the signature info has the field numbers of May 2020",
        "Before the format was settled, version, id and algorithm had the numbers 2 to 4; read by today's, the version stands where the Android package should.",
        "`--profile lenient` accepts it.";
    TooManySignatures, "CWA-E1210", Error, "there are more signatures than the format allows",
        "Ten at most.",
        "Ask the publisher.";
    TestKey, "CWA-W1211", Warning, "the file is signed by a test key",
        "An authority signs with it for its own test phones; what it signs is not for the public.",
        "None, if a test file was expected: `--trust test` says so.";
    SampleKey, "CWA-W1212", Warning, "the file is signed by a sample key",
        "The private half is published or belongs to a unit test: anybody may have signed.",
        "Do not take the content for an authority's.";
    KeyLookUp, "CWA-W1213", Note, "how the key was found",
        "The signature's package, key id and version name the key; if they fit none exactly, less of them is compared.",
        "None needed.";
    SignatureNotChecked, "CWA-W1214", Warning, "a further signature could not be checked",
        "Another signature verifies, but no trusted key is known for this one.",
        "Give its public key with `--public-key FILE` to have it checked.";
    SignedInstead, "CWA-W1215", Note, "what was signed instead",
        "The signature is right for something else: the file without its header, another digest, the message written in another way, or another key than the one it names; or it is written in a form that devices do not read.",
        "Unless it is another key, the publisher signs or writes the wrong bytes and no phone accepts the file. If it is another key, compare the names.";
    ReaderTakesInvalid, "CWA-W1216", Warning, "a reader takes what is not valid",
        "The profile's reader asks for less: it would take the file although it is unsigned, has other signatures than it lists, or can be read in two ways. That is its mistake, and no reason to believe the file.",
        "Do not use the file. Whoever maintains the reader should refuse it.";
    ContentSigMissing, "CWA-E1217", Error, "there is no content.sig",
        "The Dutch app verifies a third member, `content.sig`, before it hands the other two to the phone.",
        "Leave out `--profile nl` and `--cms-certificate` for files that are not for that app.";
    ContentSigNotVerified, "CWA-W1218", Note, "content.sig was not verified",
        "It is a CMS signature under the government's certificates, and no certificate was given.",
        "Give the signer's certificate with `--cms-certificate FILE`.";
    NotCosigned, "CWA-E1219", Error, "not all keys that must sign have signed",
        "`--require` names sets of keys, and of none of them all have made a signature that verifies.",
        "Do not use the file, or correct the sets if the publisher has replaced a key.";
    ContentSigVerified, "CWA-W1220", Note, "content.sig verifies",
        "It was made with the key of the certificate that was given, which is believed as it is: its dates and its issuer are not looked at.",
        "None needed.";
    ContentSigInvalid, "CWA-E1221", Error, "content.sig is not right",
        "It is no detached CMS signature of this content under the certificate that was given: made over other content, by somebody else, or cut short.",
        "Do not use the file; or give the certificate of the one who signs, not that of its issuer.";
    // 13: keys
    KeyInvalid, "CWA-E1301", Error, "a key cannot be used",
        "Its key data is not 16 bytes, or a number is out of its range. Android stops reading at such a key, so that everything behind it is lost.",
        "Ask the publisher.";
    DuplicateKey, "CWA-E1302", Error, "a key occurs twice",
        "The same key data more than once in one file, or as new and as revised.",
        "Ask the publisher.";
    KeyFromFuture, "CWA-W1303", Warning, "a key starts after the end of the export",
        "Checked against the export's own end, or `--now`. A key that is still to be on air can be broadcast by anybody.",
        "Ask the publisher.";
    KeyTooOld, "CWA-W1304", Warning, "a key is older than 15 days",
        "Checked against the export's own end, or `--now`. Phones keep what they received for 14 days.",
        "None needed for an old file; compare with the export's own time.";
    KeyUnderEmbargo, "CWA-W1305", Warning, "a key was published less than two hours after its end",
        "Phones still accept it then, so somebody can broadcast it again and make others believe they met its owner.",
        "Ask the publisher.";
    TooManyKeys, "CWA-W1306", Warning, "the file has more keys than phones are promised",
        "750,000 keys and 16 MB are the published bounds.",
        "Publish several files.";
    // 14: configuration
    NumberOutOfRange, "CWA-E1401", Error, "a parameter is out of its range",
        "A number of downloads, detections, days or seconds that there cannot be.",
        "Correct the parameter; the message has the bound.";
    TooManyDecimals, "CWA-E1402", Error, "a weight has more than three decimals",
        "Weights are thousandths, so that every platform computes the same score.",
        "Round the weight to three decimals.";
    ClassesOverlap, "CWA-E1403", Error, "two risk classes overlap",
        "A score in both has no one meaning.",
        "Let each class begin where the one before it ends.";
    ClassesGap, "CWA-W1404", Warning, "a range of scores belongs to no risk class",
        "A score in it has no meaning: the app shows nothing, or the wrong thing. The configuration can be loaded, but not published.",
        "Let each class begin where the one before it ends; the whole reaches from 0 to 9999.";
    ClassInvalid, "CWA-E1405", Error, "a risk class cannot be used",
        "Its least score is above its greatest, or it has no label.",
        "Correct the class.";
    ThresholdsInvalid, "CWA-E1406", Error, "the attenuation thresholds are the wrong way round",
        "The lower one must not be above the upper one.",
        "Swap them.";
    DivisorZero, "CWA-E1407", Error, "the divisor of the risk score is zero",
        "The combined score is divided by it.",
        "Set it to 1 or more.";
    NoClasses, "CWA-E1408", Error, "there are no risk classes",
        "No score has a meaning.",
        "Define classes from 0 to 9999.";
    Opaque, "CWA-W1409", Note, "the content is of a kind that is not looked into",
        "Signed statistics, rules and certificates come in the same archives and under the same key.",
        "None needed.";
    CategoryWeightOutOfRange, "CWA-E1410", Error, "the weight of a category is not 0.001 to 100",
        "The German server refuses such a configuration before it signs it; the framework takes 0 to 100.",
        "Correct the weight. The framework's own score does not use it.";
    LevelScoreOutOfRange, "CWA-E1411", Error, "a level score is not 0 to 8",
        "The framework's scores have this range; it refuses others.",
        "Correct the score.";
    RiskScoreOutOfRange, "CWA-E1412", Error, "a risk score is not 0 to 9999",
        "The least risk score and the ends of risk classes have this range by the German server.",
        "Correct the score.";
    ThresholdOutOfRange, "CWA-E1413", Error, "an attenuation threshold is out of its range",
        "0 to 100 dB by the German server for framework mode v1, 0 to 255 dB by the framework for v2.",
        "Correct the threshold.";
    DurationWeightOutOfRange, "CWA-E1414", Error, "the weight of a minute is not 0 to 1",
        "Minutes near, middle and far count whole, in part, or not at all.",
        "Correct the weight.";
    BucketOffsetOutOfRange, "CWA-E1415", Error, "the bucket offset is not 0 or 1",
        "Minutes that are added to the weighted time.",
        "Write 0 or 1.";
    DivisorOutOfRange, "CWA-E1416", Error, "the divisor of the risk score is not 1 to 1000",
        "The combined score is divided by it.",
        "Correct the divisor.";
    NotANumber, "CWA-E1417", Error, "a parameter is infinite or no number",
        "The format has room for such values. Nothing that is computed with one has a meaning, and comparisons with it are all false.",
        "Write a number.";
    WeightsNotMonotone, "CWA-W1418", Warning, "what is riskier counts less",
        "The weight of a minute farther away is greater than of one nearer by, or the value of a higher transmission risk level is less than of a lower one. Published configurations had weights of 0.8 below 63 dB and 1.0 above.",
        "None needed if it is meant; otherwise look for weights that changed places.";
    ScoresNotMonotone, "CWA-W1419", Warning, "a level that is riskier scores less",
        "Longer, nearer and more recent should not score less. The levels in the format run from far to near, and from old to recent, which is easily written the other way round.",
        "Compare the order of the scores with the names of the levels.";
    EntryTwice, "CWA-E1420", Error, "an entry stands in a list twice",
        "Two risk classes or switches of one name, or two values of one level: which one counts depends on the reader.",
        "Take one of them out.";
    NameMissing, "CWA-E1421", Error, "a switch has no name",
        "Apps look switches up by their label.",
        "Give it a label, or take it out.";
    ClassUnknown, "CWA-W1422", Warning, "a risk class has a name that apps do not know",
        "The apps ask for the classes LOW and HIGH.",
        "Call it LOW or HIGH.";
    ClassUnreachable, "CWA-W1423", Warning, "no score is in a risk class",
        "The greatest scores of all categories and 30 minutes in each range of attenuations do not reach its least score: nobody is ever warned by it.",
        "Compare the divisor and the scores with the class.";
    ScoreAboveClasses, "CWA-W1424", Warning, "scores reach beyond all risk classes",
        "Both apps fail with a score that is above all classes; it happened with classes that ended at 72.",
        "Let the highest class end at 9999.";
    MinimumTooHigh, "CWA-W1425", Warning, "no exposure has the least risk score",
        "The product of the greatest level scores is below it, so that the framework leaves every exposure out.",
        "Lower min-risk-score, or raise the level scores.";
    NothingCounts, "CWA-W1426", Warning, "every result is 0",
        "A category, all minutes or all levels count nothing. German files for framework mode v2 keep the values of transmission risk levels in a file of their own, so that a part alone can look like this.",
        "Give weights or values above 0, if this is the whole configuration.";
    Placeholder, "CWA-W1427", Warning, "a parameter is a placeholder",
        "`${NAME:default}` takes its value from the server's environment; what phones were given cannot be seen in the file. It is judged by its default.",
        "Compare with the signed configuration.";
    VersionsBackwards, "CWA-E1428", Error, "the oldest version allowed is newer than the newest",
        "Every app is told to update, and there is nothing to update to.",
        "Swap the versions.";
    RevokedPackageInvalid, "CWA-E1429", Error, "a revoked package cannot be found",
        "Phones find it by region, date, hour and entity tag; one of these is none.",
        "Copy region, date and hour from the package's path, and the entity tag as it was served.";
    CountryInvalid, "CWA-E1430", Error, "a country is no country code",
        "Two capital letters, or `EUR` for the packages of all.",
        "Correct the code.";
    DetectionOff, "CWA-W1431", Warning, "exposure detection is switched off",
        "No detection is allowed in 24 hours, so that nobody is warned.",
        "Allow 1 to 6, unless it is meant.";
    RangeMissing, "CWA-E1432", Error, "a range is absent",
        "Absent counts as 0 to 0. In YAML a dash too many makes two entries out of one, each with one range; a published file had that.",
        "Write both ranges into one entry.";
    RangeEmpty, "CWA-E1433", Error, "no number is in a range",
        "Its lower end is above its upper one, or both are the same and one does not belong to it.",
        "Correct the ends.";
    RangesOverlap, "CWA-E1434", Error, "two ranges overlap",
        "What is in both belongs to whichever comes first in the file.",
        "Let each range begin where the one before it ends, and only one of them hold the border.";
    RangesGap, "CWA-W1435", Warning, "there is a gap between two ranges",
        "A minute at such an attenuation counts nothing; such a time has no risk level.",
        "Let each range begin where the one before it ends.";
    RiskLevelUnknown, "CWA-E1436", Error, "a risk level is not low or high",
        "There are 1, low, and 2, high.",
        "Write 1 or 2.";
    LevelsNotMonotone, "CWA-W1437", Warning, "a longer time has a lower risk level",
        "Who met others for longer is told of less risk.",
        "Look for levels that changed places.";
    LevelUnreachable, "CWA-W1438", Warning, "a risk level is never reached",
        "No range has it, or its range begins beyond what 30 minutes, the longest window, can give.",
        "Compare the range with the weights and values.";
    TimeBeyondLevels, "CWA-W1439", Warning, "a time can lie beyond all ranges",
        "It has no risk level then: the longest of all are as none.",
        "Let the highest range end far beyond.";
    DayWithoutLevel, "CWA-W1440", Warning, "a day can have no risk level although its windows have one",
        "The ranges of days begin above those of windows. On such days Android does not count the encounters, and iOS does.",
        "Let both begin at the same time, unless it is meant: published configurations do this.";
    FilterBeyondWeights, "CWA-W1441", Warning, "a filter counts minutes that have no weight",
        "Windows pass it by minutes at attenuations that count nothing afterwards.",
        "Let the filter's attenuations end where the weights do.";
    PlatformsDiffer, "CWA-W1442", Note, "Android and iOS compute different things of this",
        "Android evaluates only the first of several filters, and iOS takes whole minutes.",
        "Use one filter, with an upper end that does not belong to it.";
    TransmissionRiskLevelInvalid, "CWA-E1443", Error, "a transmission risk level is not 1 to 8",
        "The German server encodes the levels 1 to 8 in its key files.",
        "Correct the level.";
    EncodingInvalid, "CWA-E1444", Error, "the encoding of transmission risk levels cannot be read back",
        "Each pair of infectiousness and report type stands for one level, 1 to 8; two pairs of one level, or a level beyond, are none.",
        "Compare the offsets with `transmission-risk-encoding.yaml` of the server that publishes the keys.";
    InfectiousnessInvalid, "CWA-E1445", Error, "an infectiousness does not exist",
        "There are 0, none; 1, standard; 2, high.",
        "Write 0, 1 or 2.";
    DaysInvalid, "CWA-E1446", Error, "days since onset are not -14 to 14",
        "The framework refuses a mapping of others.",
        "Take the entry out.";
    ReportTypeInvalid, "CWA-E1447", Error, "a report type cannot stand here",
        "Keys without a report type can be taken for 0 to 4; weights have 1 to 4. A revoked key counts nothing.",
        "Write one of them.";
    BucketCount, "CWA-E1448", Error, "there are not three thresholds and four weights",
        "Three attenuations part four buckets; the framework refuses other numbers of them.",
        "Write three thresholds and four weights.";
    SummaryWeightOutOfRange, "CWA-E1449", Error, "a weight of daily summaries is not 0 to 2.5",
        "The framework refuses others.",
        "Correct the weight.";
    WeightNegative, "CWA-E1450", Error, "a weight is negative",
        "Being near others would lower the risk.",
        "Write 0 or more.";
    MissingReportTypeUnknown, "CWA-W1451", Note, "keys without a report type stay without one",
        "The framework leaves keys of type UNKNOWN out.",
        "None needed if every key has a report type, as the German server writes it.";
    // 15: lint of one file
    KeyDataLength, "CWA-E1501", Error, "key data is not 16 bytes",
        "A key has 16 bytes. Android stops reading the file at such a key, so that everything behind it is lost.",
        "Publish the 16 bytes as the phone gave them; hexadecimal or base64 text is longer.";
    PeriodTooLong, "CWA-E1502", Error, "a rolling period is not 1 to 144",
        "A key is on air for at most 144 intervals of ten minutes. iOS passes over such a key; other readers refuse the file.",
        "Drop the key, or publish it with the period that it had.";
    PeriodZero, "CWA-E1503", Error, "a rolling period is 0",
        "Early Android versions uploaded 0 and meant 144. iOS reads it as 144, other readers refuse it.",
        "Write 144.";
    PeriodAbsent, "CWA-W1504", Note, "keys have no rolling period",
        "Absent means 144. Google's server leaves it out then; a reader that takes absence for 0 loses the key.",
        "None needed.";
    StartNegative, "CWA-E1505", Error, "a start interval is negative",
        "On the wire such a number has ten bytes, and iOS refuses the whole file for it.",
        "Drop the key.";
    StartZero, "CWA-E1506", Error, "a key has no start interval",
        "It is absent or 0, which is the year 1970: the key matches nothing.",
        "Publish the start interval with the key, or drop it.";
    StartNotAtMidnight, "CWA-W1507", Note, "a key does not start at midnight UTC",
        "Second keys of a day and keys from other countries do that. The German server takes only keys that start at midnight.",
        "None needed, unless the file is meant for the Corona-Warn-App.";
    EndOverflow, "CWA-E1508", Error, "a key ends beyond the last interval number",
        "Start and period together exceed 31 bits; readers wrap around, or refuse the key.",
        "Drop the key.";
    DaysSinceOnsetEncoded, "CWA-W1509", Warning, "days since onset lie beyond two weeks",
        "The framework knows -14 to 14. The European gateway and the Corona-Warn-App put more into this number, up to 4000, for a server to decode.",
        "Decode the number before keys are given to phones of the framework.";
    DaysSinceOnsetOutOfRange, "CWA-E1510", Error, "days since onset are out of every range",
        "Neither days (-14 to 14) nor an encoding (-15 to 4000).",
        "Leave the field out if nothing is known.";
    RiskLevelOutOfRange, "CWA-E1511", Error, "a transmission risk level is not 0 to 8",
        "The framework knows the levels 0 to 8; the European gateway fills 2147483647 in for an unknown one, and iOS keeps the lowest eight bits.",
        "Leave the field out, or write 0 to 8.";
    RiskLevelMissing, "CWA-W1512", Note, "keys have no transmission risk level",
        "Absent or 0. Framework mode v2 does not need it; the Corona-Warn-App computes its risk from the levels 1 to 8.",
        "None needed, unless the file is meant for the Corona-Warn-App.";
    ReportTypeOutOfRange, "CWA-E1513", Error, "a report type does not exist",
        "There are 0 to 5.",
        "Write the type under which the key was reported.";
    ReportTypeUnknown, "CWA-W1514", Warning, "a report type is UNKNOWN",
        "The framework never returns such keys: they warn nobody.",
        "Write the type under which the key was reported.";
    ReportTypeAbsent, "CWA-W1515", Note, "keys have no report type",
        "Google's form of the format takes absence for UNKNOWN, the Corona-Warn-App's for a confirmed test; the app's configuration decides.",
        "Write the type, so that every reader sees the same.";
    RevokedAmongNew, "CWA-E1516", Error, "a new key is revoked",
        "REVOKED takes back what was published before; it belongs among the revised keys.",
        "Move the key to `revised_keys`, or leave it out if it was never published.";
    RevisedReportType, "CWA-W1517", Warning, "a revised key is neither confirmed nor revoked",
        "A revision turns a clinical diagnosis into a confirmed test, or takes it back.",
        "Write CONFIRMED_TEST or REVOKED.";
    RevisedBesideNew, "CWA-E1518", Error, "a key is new and revised in one file",
        "What is published and revised at once has no earlier statement to revise, and readers differ in which one they take first.",
        "Publish the last statement alone, as a new key.";
    TimesMissing, "CWA-W1519", Warning, "the export has no time window",
        "Start and end tell files apart on Android, and say by when the keys were published.",
        "Write both time stamps.";
    BatchMissing, "CWA-W1520", Note, "the export has no batch numbers",
        "Absent counts as a single file; a signature's batch numbers then have nothing to be equal to.",
        "Write 1 and 1.";
    BatchNotSingle, "CWA-W1521", Note, "the file is one of several in a batch",
        "Android uses a batch only once all its files are handed over in one call; Apple advises 1 of 1.",
        "Publish single files with windows of their own.";
    InfosNotNewestFirst, "CWA-W1522", Warning, "the newest signature info is not the first",
        "iOS looks at the first signature only.",
        "Sign with the newest key first.";
    KeyNameCharacters, "CWA-W1523", Warning, "a key id or version has other characters than the format allows",
        "Letters, digits and the underscore in a version; in an id also the full stop. Devices look keys up by these texts.",
        "Write the id, by custom the mobile country code, and a version such as v1.";
    KeyNameMissing, "CWA-W1524", Warning, "a signature info lacks key id or version",
        "Devices look keys up by id and version. iOS refuses a signature without version, Android one without id unless it is the only one.",
        "Write both.";
    BlankInName, "CWA-W1525", Warning, "a name in a signature info begins or ends with a blank",
        "It is compared as it is: ` de.rki.coronawarnapp` is another app than `de.rki.coronawarnapp`. A blank in a configuration file does this.",
        "Take the blank out of the publisher's configuration.";
    ReservedField, "CWA-W1526", Note, "a signature info names an app",
        "`app_bundle_id` and `android_package` are reserved since version 1.5 of the format; many publishers still write them.",
        "None needed.";
    KeysNotSorted, "CWA-W1527", Note, "the keys are not sorted",
        "Sorted by their bytes or shuffled, they tell nothing; in order of arrival they tell which belong together.",
        "Sort the keys by their bytes, or shuffle them.";
    OrderTells, "CWA-W1528", Warning, "the order of the keys tells which belong together",
        "Keys of neighbouring days stand side by side at least twice as often as chance would have it, as in order of arrival: somebody's days on air can be joined.",
        "Sort the keys by their bytes, or shuffle them.";
    FewKeys, "CWA-W1529", Warning, "there are few keys in the file",
        "Among few keys a person can be told by the places where identifiers were received. Germany publishes 140 at least, the Netherlands 150, servers in the United States 1000.",
        "Wait for more keys, or pad with made-up ones.";
    NoKeys, "CWA-W1530", Note, "the file has no keys",
        "An hour without keys can be published as a signed, empty file.",
        "None needed.";
    RegionForm, "CWA-W1531", Note, "the region is no country code in capitals",
        "It is free text: `DE`, `ch`, the mobile country code `222`, `EUR`, or absent.",
        "None needed; do not choose keys by comparing it with country codes.";
    VariantOutOfRange, "CWA-E1532", Error, "a variant of concern does not exist",
        "There are 0 to 4.",
        "Leave the field out.";
    DataDescriptor, "CWA-W1533", Note, "sizes stand behind the data in the archive",
        "Writers that stream do this. A reader that goes by local headers finds sizes of 0 there.",
        "None needed; readers have to take the sizes from the central directory.";
    EndsInFuture, "CWA-W1534", Warning, "the export ends in the future",
        "Its window is not over at the time that was given with `--now`.",
        "Publish a window after its end; compare the publisher's clock.";
    // 16: lint across files
    SameWindow, "CWA-E1601", Error, "two files have the same window",
        "Android knows files by start, end, region and batch number, and passes over the second.",
        "Publish files with different time stamps; one second is enough.";
    BatchIncomplete, "CWA-E1602", Error, "a batch is not complete",
        "Android uses none of a batch before all its files are there.",
        "Give all files of the batch, or publish single files.";
    Republished, "CWA-W1603", Warning, "a key is new in two files",
        "Their windows do not contain one another, so that it was published twice.",
        "Publish a key once; later statements about it belong among the revised keys.";
    RevisedBeforePublished, "CWA-E1604", Error, "a key is revised before it is published",
        "The file that revises it ends before the file in which it is new.",
        "Publish the key first, or only its last statement.";
    RevisionTransition, "CWA-E1605", Error, "a revision is none that there can be",
        "A clinical diagnosis becomes a confirmed test or is revoked; a self report becomes a diagnosis. A confirmed test is not taken back.",
        "Correct the report type.";
    WindowGap, "CWA-W1606", Note, "there is time between two windows",
        "No file given covers it: it was not published, or not fetched. The German server lists only hours with keys.",
        "Compare with the publisher's index.";
    WindowsOverlap, "CWA-W1607", Warning, "two windows overlap",
        "Neither contains the other, as a day contains its hours; it cannot be told in which of them a key was published.",
        "Let each window begin where the one before it ends.";
    Contradiction, "CWA-E1608", Error, "two files say different things of a new key",
        "Start, period or report type differ, and neither is a revision; which one counts depends on the reader.",
        "Publish a key once; later statements about it belong among the revised keys.";
    // 17: a distribution
    IndexUnreadable, "CWA-E1701", Error, "an index cannot be read",
        "It is no JSON list of the right kind, is out of order, or is an `index.txt` that leads elsewhere. Phones find nothing by it.",
        "Fetch it again; if it stays so, the publisher has to write it anew.";
    ListedButMissing, "CWA-E1702", Error, "an index names what is not there",
        "The index was written before its packages, or a package was lost. A phone gets 404, and some give up for the day.",
        "Write packages before indexes. If this is a mirror, fetch again: it may have been interrupted.";
    NotListed, "CWA-W1703", Warning, "no index names a package that has keys",
        "No phone ever asks for it, so that its keys warn nobody; unless it is one that a mirror kept after its time.",
        "Write the index anew. None needed for a package that is served no longer.";
    ListedEmpty, "CWA-W1704", Warning, "an index names a package without keys",
        "Phones fetch it for nothing. Empty packages are there for phones that ask without looking at the index.",
        "List only hours and days that hold keys.";
    IndexMissing, "CWA-W1705", Warning, "there is no index",
        "Packages are there, and nothing names them: a part of a distribution, or one that lost its index.",
        "Audit the directory in which `version` lies; fetch the index.";
    ForeignFile, "CWA-W1706", Note, "a file is no part of a distribution",
        "It is neither an archive nor an index, and has no place in the tree: a note, a leftover, another format.",
        "None needed; do not serve it.";
    NotAsFetched, "CWA-E1707", Error, "a file is not the one that was fetched",
        "The mirror noted the SHA-256 of what it put in place. Since then the file was changed, damaged or lost.",
        "Fetch again: what differs is replaced.";
    EntityTagMismatch, "CWA-W1708", Warning, "an entity tag is the digest of other bytes",
        "The tag looks like a SHA-256, as the reference server's are, and is not that of the file: a cache that mixes answers, or a tag of another origin.",
        "Ask the origin, past its caches. Tags of other servers need not be digests.";
    ManifestRefused, "CWA-E1710", Error, "the signed manifest is not believed",
        "It cannot be read, or its signature is wrong; then nothing ties the files of the tree together.",
        "Fetch it again; give the publisher's key with `--public-key`.";
    ManifestMismatch, "CWA-E1711", Error, "a file is not what the manifest says",
        "Another SHA-256, or another number of keys. Each file may be signed and in order, and the tree still be mixed from two times.",
        "Fetch again. If it stays so, somebody serves files of different times.";
    ManifestListsMissing, "CWA-E1712", Error, "the manifest lists what is not there",
        "A file was lost, or is held back.",
        "Fetch again; ask the publisher.";
    ManifestOmits, "CWA-E1713", Error, "the manifest does not list a file",
        "At the time of the manifest such a file was served, and it knows nothing of it: put there by somebody else, or of another time.",
        "Do not use the file; ask the publisher.";
    ManifestOutdated, "CWA-E1714", Error, "the manifest is older than it can be",
        "There are packages that ended after it was made, or an earlier copy has a newer one: somebody serves an old manifest.",
        "Fetch again, past caches; keep the newer one.";
    ManifestStale, "CWA-W1715", Warning, "the manifest is more than two hours old",
        "A publisher makes one every hour. It stands still, its work is held back, or the mirror was not brought up to date.",
        "Fetch again; give the time of the mirror with `--now`.";
    ManifestAbsent, "CWA-W1716", Note, "there is no manifest",
        "The German tree had none. Without one, an old or mixed tree cannot be told from a new one: indexes are not signed.",
        "None needed for distributions that never had one.";
    PlaceMismatch, "CWA-E1720", Error, "a package is not of the time or country of its place",
        "The signature does not cover the path: who serves the package of another day under this one is not noticed by it.",
        "Fetch again. Times of a package of the tree are exactly its hour or its day.";
    DayLacksKeys, "CWA-E1721", Error, "keys of an hour are not in the package of its day",
        "A phone that fetches the day misses what one that fetched the hours knows. A day is the union of its hours.",
        "Make the package of the day anew from what its hours hold.";
    DayHasMoreKeys, "CWA-E1722", Error, "keys of a day are in none of its hours",
        "Every hour of the day is known, and none holds them: they were put into the day alone, or an hour was made anew without them.",
        "Publish a key in the hour that is closed, and the day as the union of its hours.";
    PublishedTwice, "CWA-E1723", Error, "a key was published twice",
        "Two hours, two days, or two files whose windows do not contain one another hold the same key. Its hour was computed anew, or it was submitted twice.",
        "Store which hour a key belongs to when the hour is closed, and never compute it again.";
    KeysVanished, "CWA-E1724", Error, "published keys are gone",
        "An earlier copy of the distribution holds them, and they have not reached the age of 14 days at which keys are deleted. Phones that come later do not learn of them.",
        "Compare both copies with `cwa export diff`; ask the publisher.";
    PackageGrew, "CWA-E1725", Error, "a package has keys that it did not have before",
        "Phones that hold it do not fetch it again, and never learn of the new keys.",
        "Put late keys into the package of the hour that is closed next.";
    EmbargoBroken, "CWA-E1726", Error, "keys were published before their embargo was over",
        "Until two hours after its end phones accept what is sent of a key, so that anybody can send it once it is public, and make others believe that they met its owner.",
        "Hold a key back until the hour that begins two hours after its end.";
    KeptTooLong, "CWA-W1727", Warning, "keys are published although they should be deleted",
        "They ended more than 14 days before the time of the manifest, or `--now`. No phone needs them any more.",
        "Make the package anew without them.";
    Gap, "CWA-W1730", Warning, "there is time of which there is no package",
        "Between two packages others are missing: not published, not fetched, or without keys and so not listed, which weighs as a note.",
        "Compare with the publisher's index; fetch more often than packages are taken away.";
    SigningKeysMixed, "CWA-W1731", Warning, "packages are signed by different keys in turns",
        "One key that follows another is a rotation, and weighs as a note. Keys that take turns are two publishers, or a tree that is mixed from two.",
        "Ask the publisher which key is in use.";
    KeysNotRandom, "CWA-W1740", Warning, "the keys do not look random",
        "At least one of four tests fails that random keys fail once in a thousand distributions: a weak generator, keys made by hand, or padding that can be told from real keys. Few publishers' keys need to be bad for it; `statistics.randomness` has the numbers.",
        "Look at the generator of the phones, and of the padding.";
}
