//! A picture's SVG as a PNG file, by resvg.

use png::{BitDepth, ColorType, Encoder};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Renders an SVG document whose texts are outlines, on an opaque page.
pub(super) fn render(svg: &str, width: u32, height: u32) -> Vec<u8> {
    let tree = Tree::from_str(svg, &Options::default()).expect("what `svg` writes is SVG");
    let mut pixels = Pixmap::new(width, height).expect("a picture has a size");
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    // The page is opaque, so that alpha says nothing.
    let colors: Vec<u8> = pixels.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&colors)?;
        writer.finish()
    });
    written.expect("memory takes every byte");
    file
}

#[cfg(test)]
mod tests {
    use super::super::{Anchor, Color, Drawing, Stroke, TextStyle, Weight, at, text_width};

    /// How dark each pixel is, 0..=1, row by row.
    fn ink(drawing: &Drawing) -> Vec<Vec<f64>> {
        let png = drawing.to_png();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bytes).unwrap();
        let width = drawing.size().0 as usize;
        let dark = |pixel: &[u8]| 1.0 - f64::from(pixel[0]) / 255.0;
        bytes.chunks_exact(3 * width).map(|row| row.chunks_exact(3).map(dark).collect()).collect()
    }

    #[test]
    fn a_line_that_is_nearly_level_is_evenly_thick() {
        let mut drawing = Drawing::new(200, 100, "a line");
        drawing.line(vec![at(10.0, 50.0), at(190.0, 52.3)], Stroke::solid(Color::Fixed(0, 0, 0), 2.0));
        let rows = ink(&drawing);
        for column in 15..185 {
            let thickness: f64 = rows.iter().map(|row| row[column]).sum();
            assert!((thickness - 2.0).abs() < 0.1, "{thickness} in column {column}");
        }
    }

    #[test]
    fn text_is_where_its_anchor_says_and_as_wide_as_measured() {
        let mut drawing = Drawing::new(200, 60, "a text");
        let style = TextStyle::new(20.0, Color::Fixed(0, 0, 0), Anchor::End);
        drawing.text(at(150.0, 40.0), "HHHH", style);
        let rows = ink(&drawing);
        let inked = |column: &usize| rows.iter().any(|row| row[*column] > 0.5);
        let (first, last) = ((0..200).find(inked).unwrap(), (0..200).rev().find(inked).unwrap());
        let left = 150.0 - text_width("HHHH", 20.0, Weight::Regular);
        // An H begins and ends a tenth of an em inside its room.
        assert!(
            (first as f64 - left - 2.0).abs() <= 1.0 && (last as f64 - 148.0).abs() <= 1.0,
            "{first}..{last}, {left}"
        );
        let lowest = rows.iter().rposition(|row| row.iter().any(|&dark| dark > 0.5)).unwrap();
        assert_eq!(lowest, 39, "capitals stand on the baseline");
    }
}
