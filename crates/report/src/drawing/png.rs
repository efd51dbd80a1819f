//! PNG files from RGB pixels. It knows nothing of drawing.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Encodes rows of `width` pixels, three bytes each (8 bits, RGB).
pub(super) fn encode(width: u32, pixels: &[u8]) -> Vec<u8> {
    let row_bytes = width as usize * 3;
    let height = (pixels.len() / row_bytes) as u32;
    let mut file = SIGNATURE.to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // 8 bits per channel, RGB, the only compression, filter and no interlace.
    header.extend([8, 2, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &compressed(pixels, row_bytes));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// Rows filtered by "up" (differences to the row above): plots repeat themselves downward.
fn compressed(pixels: &[u8], row_bytes: usize) -> Vec<u8> {
    let mut filtered = Vec::with_capacity(pixels.len() + pixels.len() / row_bytes);
    for (index, row) in pixels.chunks_exact(row_bytes).enumerate() {
        if index == 0 {
            filtered.push(0);
            filtered.extend_from_slice(row);
        } else {
            let above = &pixels[(index - 1) * row_bytes..index * row_bytes];
            filtered.push(2);
            filtered.extend(row.iter().zip(above).map(|(here, above)| here.wrapping_sub(*above)));
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(&filtered).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], body: &[u8]) {
    file.extend((body.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(body);
    let mut checksum = flate2::Crc::new();
    checksum.update(&file[start..]);
    file.extend(checksum.sum().to_be_bytes());
}
