//! Some rows of a bitmap, drawn on as if it were all of it.

use std::ops::Range;

use plotters::backend::BitMapBackend;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind, rasterizer};

/// A plotters backend that keeps the rows `top..` of a larger picture and lets go of what is drawn elsewhere. Shapes are rasterized in
/// the coordinates of the picture, so that its bands fit together to the pixel.
pub(super) struct Band<'a> {
    rows: BitMapBackend<'a>,
    size: (u32, u32),
    range: Range<i32>,
}

type Failure<'a> = DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

impl<'a> Band<'a> {
    /// The rows `range` of a picture of `size` pixels, on `pixels`: three bytes each, row by row.
    pub(super) fn new(pixels: &'a mut [u8], size: (u32, u32), range: Range<u32>) -> Self {
        let rows = BitMapBackend::with_buffer(pixels, (size.0, range.end - range.start));
        Self { rows, size, range: range.start as i32..range.end as i32 }
    }

    /// Could something that reaches `reach` pixels up and down from row `y` be seen here?
    pub(super) fn meets(&self, y: f64, reach: f64) -> bool {
        y + reach >= f64::from(self.range.start) && y - reach <= f64::from(self.range.end)
    }

    fn shifted(&self, (x, y): BackendCoord) -> BackendCoord {
        (x, y - self.range.start)
    }
}

impl<'a> DrawingBackend for Band<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result<(), Failure<'a>> {
        self.rows.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), Failure<'a>> {
        self.rows.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Result<(), Failure<'a>> {
        if !self.range.contains(&point.1) {
            return Ok(());
        }
        self.rows.draw_pixel(self.shifted(point), color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        // Level and upright lines, those that fill polygons among them, are written whole.
        if from.0 == to.0 || from.1 == to.1 {
            return self.rows.draw_line(self.shifted(from), self.shifted(to), style);
        }
        rasterizer::draw_line(self, from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        corner: BackendCoord,
        opposite: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), Failure<'a>> {
        self.rows.draw_rect(self.shifted(corner), self.shifted(opposite), style, fill)
    }
}
