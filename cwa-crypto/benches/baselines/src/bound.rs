//! How fast this processor executes the instructions that derivation cannot do without.
//!
//! The bound is sequential: the time of a key's AES instructions plus the time of its SHA-256 instructions, each kind
//! alone and at the highest rate at which the processor takes it, without a load, a store or a wait for a result.
//! Code that overlaps both kinds on different execution units could in principle go below it.
//!
//! # Counts, for one key of 144 identifiers
//!
//! **AES-128**: 144 blocks are 36 registers of four, each with 10 rounds: 360 `vaesenc`. (The key schedule and the
//! first xor are left out.)
//!
//! **SHA-256**: HKDF is HMAC twice, each an inner and an outer hash of a pad block and a message block: 8 compressions.
//! Both pad blocks of the first HMAC are constants, since there is no salt: 6 remain. Instructions on 16 lanes at once,
//! with the three-operand logic of AVX-512:
//!
//! | part | rotate | shift | ternary logic | add |
//! |---|---|---|---|---|
//! | a round: Σ1, Ch, Σ0, Maj; h + Σ1 + Ch + (K + W), d + T1, T1 + Σ0 + Maj | 6 | | 4 | 7 |
//! | a scheduled word: σ1 + W₋₇ + σ0 + W₋₁₆ | 4 | 2 | 2 | 3 |
//! | the end: adding the state before | | | | 8 |
//! | a compression: 64 rounds, 48 words, the end | 576 | 96 | 352 | 600 |
//! | six of them | 3456 | 576 | 2112 | 3600 |
//! | less the schedule of the one block that is constant (info, counter, padding), and its 64 K + W | −192 | −96 | −96 | −208 |
//! | plus two times eight xors of the pseudorandom key with the pads (counted as logic) | | | +16 | |
//! | for 16 keys: **9168** | **3264** | **480** | **2032** | **3392** |
//!
//! For one key that is 204 rotates, 30 shifts, 127 ternary logic and 212 adds: 573. Rounds over a constant state or
//! constant words can be shortened a little further; the bound leaves that out.

/// 512-bit `vaesenc` for one key.
pub const AES_INSTRUCTIONS: usize = 360;

/// 512-bit instructions of SHA-256 for one key: a sixteenth of those for 16 keys at once.
pub const SHA_INSTRUCTIONS: usize = 573;

/// Whether the instructions can be measured here: x86-64 with AVX-512 and VAES.
#[must_use]
pub fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("vaes");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Executes the AES instructions of `keys` keys, independent of each other as far as the processor cares.
///
/// # Panics
///
/// If they are not [available](is_available).
pub fn aes(keys: usize) {
    assert!(is_available(), "needs AVX-512 and VAES");
    #[cfg(target_arch = "x86_64")]
    for _ in 0..keys {
        // SAFETY: the processor has the instructions, as asserted; they touch no memory, and every register they write
        // is declared.
        unsafe {
            core::arch::asm!(
                // 30 times over 12 chains: 360. Twelve are more than latency times rate of any processor.
                ".rept 30",
                ".irp r,0,1,2,3,4,5,6,7,8,9,10,11",
                "vaesenc zmm\\r, zmm\\r, zmm12",
                ".endr",
                ".endr",
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                options(nomem, nostack, preserves_flags),
            );
        }
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: whoever has AVX-512 has AVX.
    unsafe {
        clear_upper_halves();
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = keys;
}

/// Executes the SHA-256 instructions of `keys` keys, independent of each other as far as the processor cares.
///
/// # Panics
///
/// If they are not [available](is_available).
pub fn sha(keys: usize) {
    assert!(is_available(), "needs AVX-512 and VAES");
    #[cfg(target_arch = "x86_64")]
    for _ in 0..keys {
        // SAFETY: as in `aes`.
        unsafe {
            core::arch::asm!(
                // 6 times [17 chains of two adds, two rotates and one logic, and of ten more instructions: 1 add, 5 shifts,
                // 4 logic] makes 210 adds, 204 rotates, 30 shifts, 126 logic; two adds and one logic are left.
                ".rept 6",
                ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
                "vpaddd zmm\\r, zmm\\r, zmm28",
                "vprord zmm\\r, zmm\\r, 7",
                "vpternlogd zmm\\r, zmm28, zmm29, 0x96",
                "vpaddd zmm\\r, zmm\\r, zmm29",
                "vprord zmm\\r, zmm\\r, 11",
                ".endr",
                ".irp r,17,18,19,20",
                "vpsrld zmm\\r, zmm\\r, 3",
                "vpternlogd zmm\\r, zmm28, zmm29, 0xca",
                ".endr",
                "vpsrld zmm21, zmm21, 10",
                "vpaddd zmm21, zmm21, zmm28",
                ".endr",
                "vpaddd zmm22, zmm22, zmm28",
                "vpternlogd zmm23, zmm28, zmm29, 0xe8",
                "vpaddd zmm24, zmm24, zmm28",
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, out("xmm16") _, out("xmm17") _,
                out("xmm18") _, out("xmm19") _, out("xmm20") _, out("xmm21") _, out("xmm22") _, out("xmm23") _,
                out("xmm24") _,
                options(nomem, nostack, preserves_flags),
            );
        }
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: whoever has AVX-512 has AVX.
    unsafe {
        clear_upper_halves();
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = keys;
}

/// Leaves the registers as compilers do. As long as their upper halves are in use, SSE instructions of whoever has the
/// next turn are slower: aws-lc by half.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn clear_upper_halves() {
    core::arch::x86_64::_mm256_zeroupper();
}
