//! One export in as many files as phones want: no more keys and bytes in each than they take.

use crate::archive::{self, WriteArchiveError};
use crate::export::Export;
use crate::signature::{SignatureInfo, longest_export_sig};

/// How much one archive may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "keys and bytes are what published rules bound")]
pub struct SplitLimits {
    /// Most keys, revised ones included.
    pub max_keys: usize,
    /// Longest archive, in bytes.
    pub max_archive_bytes: usize,
}

impl SplitLimits {
    /// One archive, whatever its size.
    pub const NONE: Self = Self { max_keys: usize::MAX, max_archive_bytes: usize::MAX };

    /// What Apple tells servers ("Setting Up a Key Server"): 750,000 keys and 16 MB, here 16,000,000 bytes.
    pub const APPLE: Self = Self { max_keys: 750_000, max_archive_bytes: 16_000_000 };
}

impl Export {
    /// The export as the fewest files of nearly equal size that keep within `limits`, signed under `signature_infos`.
    ///
    /// Keys stay in their order, and revised keys come behind all others. Each file is batch 1 of 1, since phones get
    /// files of several batches wrong; and the end of file *n*, counted from 0, is *n* seconds later, because Android
    /// takes two files with the same start and end for one and drops the second (Google's server does the same).
    ///
    /// The bytes are those of [`SignedFiles::to_archive`](crate::SignedFiles::to_archive) with the longest signatures
    /// there can be, so that a split does not depend on who signs, or when.
    ///
    /// # Errors
    ///
    /// [`SplitError`] if a single key is too much, or the export has no end that could be moved.
    ///
    /// ```
    /// use cwa_crypto::UnixTime;
    /// use cwa_export::split::SplitLimits;
    /// use cwa_export::{Export, ExportKey};
    /// let keys = (0..5).map(|id| ExportKey::new([id; 16])).collect();
    /// let export = Export::new(UnixTime::from_secs(0), UnixTime::from_secs(3_600), "DE", keys);
    /// let files = export.split(&SplitLimits { max_keys: 2, ..SplitLimits::NONE }, &[]).unwrap();
    /// let sizes: Vec<_> = files.iter().map(|file| file.keys.len()).collect();
    /// let ends: Vec<_> = files.iter().map(|file| file.end_timestamp.unwrap().as_secs()).collect();
    /// assert_eq!((sizes.as_slice(), ends.as_slice()), (&[2, 2, 1][..], &[3_600, 3_601, 3_602][..]));
    /// ```
    pub fn split(
        self,
        limits: &SplitLimits,
        signature_infos: &[SignatureInfo],
    ) -> Result<Vec<Self>, SplitError> {
        let total = self.key_count();
        if limits.max_keys == 0 && total > 0 {
            return Err(SplitError::NoKeys);
        }
        let mut count = total.div_ceil(limits.max_keys.max(1)).max(1);
        let alone = core::slice::from_ref(&self);
        if count == 1 && largest(alone, limits.max_archive_bytes, signature_infos)?.is_none() {
            return Ok(vec![self]);
        }
        let (mut too_few, mut enough) = (count.saturating_sub(1), None);
        loop {
            let files = self.in_files(count)?;
            match largest(&files, limits.max_archive_bytes, signature_infos)? {
                None if count <= too_few.saturating_add(1) => return Ok(files),
                None => {
                    count = count.saturating_sub(1);
                    enough = Some(files);
                }
                Some(_) if enough.is_some() => return Ok(enough.unwrap_or_default()),
                Some((..=1, bytes)) => {
                    return Err(SplitError::TooLarge { bytes, max: limits.max_archive_bytes });
                }
                Some((keys, bytes)) => {
                    // What a key takes is nearly the same in all files, so this is the number or close to it.
                    let overhead = archive_bytes(&self.in_part(0, 0, 0), signature_infos)?;
                    let room = limits.max_archive_bytes.saturating_sub(overhead);
                    let fitting = keys.saturating_mul(room) / bytes.saturating_sub(overhead).max(1);
                    too_few = count;
                    count = total.div_ceil(fitting.clamp(1, keys)).max(count.saturating_add(1)).min(total);
                }
            }
        }
    }

    /// How many keys it holds, revised ones included.
    #[must_use]
    pub const fn key_count(&self) -> usize {
        self.keys.len().saturating_add(self.revised_keys.len())
    }

    fn in_files(&self, count: usize) -> Result<Vec<Self>, SplitError> {
        if count == 1 {
            return Ok(vec![self.clone()]);
        }
        if self.end_timestamp.is_none() {
            return Err(SplitError::NoEnd { files: count });
        }
        let (each, more) = (self.key_count() / count, self.key_count() % count);
        let mut from = 0_usize;
        let files = (0..count).map(|index| {
            let length = each.saturating_add(usize::from(index < more));
            let file = self.in_part(index, from, length);
            from = from.saturating_add(length);
            file
        });
        Ok(files.collect())
    }

    /// File `index`, with `length` keys, of which the first is number `from`.
    fn in_part(&self, index: usize, from: usize, length: usize) -> Self {
        let part = |keys: &[_], before: usize| {
            let skipped = from.saturating_sub(before);
            let taken = from.saturating_add(length).saturating_sub(before).saturating_sub(skipped);
            keys.iter().skip(skipped).take(taken).copied().collect()
        };
        let later = u64::try_from(index).unwrap_or(u64::MAX);
        Self {
            start_timestamp: self.start_timestamp,
            end_timestamp: self.end_timestamp.map(|end| end.plus(later)),
            region: self.region.clone(),
            batch_num: Some(1),
            batch_size: Some(1),
            keys: part(&self.keys, 0),
            revised_keys: part(&self.revised_keys, self.keys.len()),
        }
    }
}

/// Keys and bytes of the file that is farthest beyond `max` bytes; `None` if none is.
fn largest(
    files: &[Export],
    max: usize,
    signature_infos: &[SignatureInfo],
) -> Result<Option<(usize, usize)>, SplitError> {
    let mut largest = None;
    for file in files {
        // Deflate makes nothing longer by more than this, and most files are far from any limit.
        if archive::longest(file.longest_encoded(signature_infos), longest_export_sig(signature_infos)) <= max
        {
            continue;
        }
        let bytes = archive_bytes(file, signature_infos)?;
        if bytes > max && largest.is_none_or(|(_, most)| bytes > most) {
            largest = Some((file.key_count(), bytes));
        }
    }
    Ok(largest)
}

/// The length of a file's archive, its signatures as long as they can be.
fn archive_bytes(file: &Export, signature_infos: &[SignatureInfo]) -> Result<usize, SplitError> {
    let deflated = archive::deflated_len(&file.encode(signature_infos))?;
    Ok(archive::length(deflated, archive::longest_deflated(longest_export_sig(signature_infos))))
}

/// Why an export cannot be split.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// No keys are allowed.
    #[error("no file may hold a key")]
    NoKeys,
    /// A file of one key, or of none, is longer than allowed.
    #[error("an archive with one key can have {bytes} bytes; at most {max} are allowed")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Several files without an end are the same file to phones.
    #[error("{files} files are needed, and the export has no end by which phones tell them apart")]
    NoEnd {
        /// How many.
        files: usize,
    },
    /// It cannot be an archive at all.
    #[error(transparent)]
    Archive(#[from] WriteArchiveError),
}

#[cfg(test)]
mod tests {
    use cwa_crypto::UnixTime;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::padding::PaddingPolicy;
    use crate::{ExportKey, SoftwareSigner};

    fn signer() -> SoftwareSigner {
        let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        SoftwareSigner::new(key, SignatureInfo::new("262", "v1"))
    }

    fn infos() -> Vec<SignatureInfo> {
        vec![SignatureInfo::new("262", "v1")]
    }

    fn export(keys: usize, revised: u8) -> Export {
        let template = [ExportKey::new([0; 16])];
        let random = PaddingPolicy::Minimum { keys: keys + 1, range: 0 };
        let keys = random.padding(&template, &mut StdRng::seed_from_u64(1));
        let mut export = Export::new(UnixTime::from_secs(3_600), UnixTime::from_secs(7_200), "DE", keys);
        export.revised_keys = (0..revised).map(|id| ExportKey::new([id; 16])).collect();
        export
    }

    fn joined(files: &[Export]) -> (Vec<ExportKey>, Vec<ExportKey>) {
        let keys = files.iter().flat_map(|file| file.keys.clone()).collect();
        (keys, files.iter().flat_map(|file| file.revised_keys.clone()).collect())
    }

    #[test]
    fn every_key_is_in_one_file_and_the_order_stays() {
        for (keys, revised, max_keys) in [(10, 0, 3), (10, 5, 3), (0, 4, 1), (7, 7, 7), (1, 0, 1), (9, 1, 4)]
        {
            let whole = export(keys, revised);
            let files =
                whole.clone().split(&SplitLimits { max_keys, ..SplitLimits::NONE }, &infos()).unwrap();
            assert_eq!(files.len(), (keys + usize::from(revised)).div_ceil(max_keys));
            assert_eq!(joined(&files), (whole.keys, whole.revised_keys));
            let sizes: Vec<_> = files.iter().map(Export::key_count).collect();
            assert!(sizes.iter().all(|size| *size <= max_keys && size + 1 >= sizes[0]), "{sizes:?}");
        }
    }

    #[test]
    fn no_archive_is_longer_than_allowed_and_fewer_files_would_not_do() {
        for max_archive_bytes in [600, 700, 1_500, 4_000, 30_000] {
            let limits = SplitLimits { max_archive_bytes, ..SplitLimits::NONE };
            let whole = export(400, 2);
            let files = whole.clone().split(&limits, &infos()).unwrap();
            assert_eq!(joined(&files), (whole.keys.clone(), whole.revised_keys.clone()));
            for file in &files {
                let archive = file.sign(&[&signer()]).unwrap().to_archive().unwrap();
                assert!(archive.len() <= max_archive_bytes, "{} > {max_archive_bytes}", archive.len());
            }
            if files.len() > 1 {
                let fewer = whole.in_files(files.len() - 1).unwrap();
                assert!(
                    largest(&fewer, max_archive_bytes, &infos()).unwrap().is_some(),
                    "{max_archive_bytes}"
                );
            }
        }
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let mut whole = export(20, 1);
        whole.batch_num = Some(2);
        whole.batch_size = Some(3);
        assert_eq!(whole.clone().split(&SplitLimits::APPLE, &infos()).unwrap(), [whole]);
        let empty = export(0, 0);
        let none = SplitLimits { max_keys: 0, ..SplitLimits::NONE };
        assert_eq!(empty.clone().split(&none, &infos()).unwrap(), [empty]);
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let tiny = SplitLimits { max_archive_bytes: 100, ..SplitLimits::NONE };
        assert!(matches!(export(9, 0).split(&tiny, &infos()), Err(SplitError::TooLarge { max: 100, .. })));
        assert!(matches!(export(0, 0).split(&tiny, &infos()), Err(SplitError::TooLarge { max: 100, .. })));
        let none = SplitLimits { max_keys: 0, ..SplitLimits::NONE };
        assert_eq!(export(1, 0).split(&none, &infos()), Err(SplitError::NoKeys));
        let endless = Export { end_timestamp: None, ..export(4, 0) };
        let two = SplitLimits { max_keys: 2, ..SplitLimits::NONE };
        assert_eq!(endless.split(&two, &infos()), Err(SplitError::NoEnd { files: 2 }));
    }
}
