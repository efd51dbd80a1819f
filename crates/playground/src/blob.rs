//! Bytes of a pack: numbers and pieces one after another, little-endian. It knows nothing of what they mean.

/// Writes.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// A whole number: seven bits to a byte, the lowest first, small ones in one byte.
    pub fn whole(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A number, bit for bit.
    pub fn number(&mut self, value: f64) {
        self.0.extend(value.to_bits().to_le_bytes());
    }

    /// A piece and its length.
    pub fn piece(&mut self, bytes: &[u8]) {
        self.whole(bytes.len() as u64);
        self.0.extend(bytes);
    }
}

/// Reads; every answer is `None` where the bytes end too early.
#[derive(Clone, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// See [`Writer::whole`].
    pub fn whole(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// See [`Writer::number`].
    pub fn number(&mut self) -> Option<f64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(f64::from_bits(u64::from_le_bytes(*bytes)))
    }

    /// See [`Writer::piece`].
    pub fn piece(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.whole()?).ok()?;
        let (piece, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(piece)
    }

    /// A piece that is text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.piece()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_cut_short_is_not() {
        let mut writer = Writer::default();
        [0, 127, 128, u64::MAX].into_iter().for_each(|value| writer.whole(value));
        writer.number(-0.1);
        writer.piece("äb".as_bytes());
        let mut reader = Reader(&writer.0);
        assert_eq!([(); 4].map(|()| reader.whole()), [Some(0), Some(127), Some(128), Some(u64::MAX)]);
        assert_eq!((reader.number(), reader.text(), reader.whole()), (Some(-0.1), Some("äb"), None));
        assert_eq!(Reader(&writer.0[..writer.0.len() - 1]).clone().whole(), Some(0));
        assert_eq!(Reader(&[5, 1, 2]).piece(), None);
    }
}
