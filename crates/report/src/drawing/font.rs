//! The two vendored fonts, registered once, and how wide text in them is.

use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// The family under which plotters knows the fonts.
const FAMILY: &str = "scalelab";
/// plotters sizes fonts by ascent plus descent; DejaVu's are 0.928 and 0.236 em.
const HEIGHT_PER_EM: f64 = 1.164;

static REGISTERED: Once = Once::new();

/// Boldness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// The font at `size` pixels per em. Its pixels come relative to a baseline `size * HEIGHT_PER_EM / 2` below the drawing position.
pub(super) fn font(size: f64, weight: Weight) -> FontDesc<'static> {
    REGISTERED.call_once(|| {
        let fonts: [(FontStyle, &'static [u8]); 2] = [
            (FontStyle::Normal, include_bytes!("../../assets/fonts/DejaVuSans.subset.ttf")),
            (FontStyle::Bold, include_bytes!("../../assets/fonts/DejaVuSans-Bold.subset.ttf")),
        ];
        for (style, bytes) in fonts {
            assert!(register_font(FAMILY, style, bytes).is_ok(), "the vendored fonts are valid");
        }
    });
    let style = match weight {
        Weight::Regular => FontStyle::Normal,
        Weight::Bold => FontStyle::Bold,
    };
    FontDesc::new(FontFamily::Name(FAMILY), size * HEIGHT_PER_EM, style)
}

/// Half the font's height in pixels: how far the baseline is below plotters' drawing position.
pub(super) fn baseline_shift(size: f64) -> i32 {
    // plotters adds this to each glyph's (negative) top and truncates; the same truncation keeps the baseline where it belongs.
    (size * HEIGHT_PER_EM / 2.0) as i32
}

/// Width of `text` in pixels.
pub(crate) fn text_width(text: &str, size: f64, weight: Weight) -> f64 {
    // Measured large, so that plotters' rounding to whole pixels does not matter.
    let measured = font(100.0, weight).layout_box(text).expect("the fonts are registered");
    f64::from(measured.1.0) * size / 100.0
}
