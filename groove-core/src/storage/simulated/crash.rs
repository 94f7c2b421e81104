//! What a crash leaves of the writes that were not synced.
//!
//! Each of them may be there, not be there, be there in part (a device writes 512 bytes at a time:
//! the first, the last, all but some, any of them), or have left bytes in a piece that nobody wrote.
//! They may have landed in another order than they were made in, and the device may be as long as it
//! was at the last sync.

use std::ops::Range;

use super::image::Image;
use super::journal::Event;
use super::random::Random;

/// What a device writes at a time.
const PIECE: usize = 512;
/// Images of one crash that [`crash_image`] makes by plan; all others are random.
pub(super) const PLANNED: u64 = 8;

/// Images that a crash may leave, one after the other, without end.
#[derive(Debug)]
pub struct CrashImages<'a> {
    medium: &'a Image,
    unsynced: &'a [Event],
    nth: u64,
    random: Random,
}

impl<'a> CrashImages<'a> {
    /// Images of a device whose durable bytes are `medium`.
    pub fn new(medium: &'a Image, unsynced: &'a [Event], random: Random) -> CrashImages<'a> {
        CrashImages { medium, unsynced, nth: 0, random }
    }
}

impl Iterator for CrashImages<'_> {
    type Item = Image;

    fn next(&mut self) -> Option<Image> {
        self.nth += 1;
        Some(crash_image(self.medium, self.unsynced, self.nth - 1, &mut self.random))
    }
}

/// The `nth` image of a crash, from 0 on: first everything landed, nothing, everything but the
/// length; then single calls torn, missing and alone; then all torn; then each call with a fate of its
/// own, in any order.
pub fn crash_image(medium: &Image, unsynced: &[Event], nth: u64, random: &mut Random) -> Image {
    let mut image = medium.clone();
    let count = unsynced.len();
    if count == 0 {
        return image;
    }
    let one = random.below(count as u64) as usize;
    let mut order: Vec<usize> = (0..count).collect();
    if nth >= PLANNED && random.chance(50) {
        random.shuffle(&mut order);
    }
    for at in order {
        let event = &unsynced[at];
        let fate = match nth {
            0 | 2 => Fate::Landed,
            1 => Fate::Lost,
            3 if at == count - 1 => Fate::torn(event, random),
            3 => Fate::Landed,
            4 if at == one => Fate::Landed,
            4 => Fate::Lost,
            5 if at == one => Fate::Lost,
            5 => Fate::Landed,
            6 if at == one => Fate::torn(event, random),
            6 => [Fate::Landed, Fate::Lost][usize::from(at > one)].clone(),
            7 => Fate::torn(event, random),
            _ => Fate::any(event, random),
        };
        fate.apply(event, &mut image, random);
    }
    if nth == 2 || nth >= PLANNED && random.chance(10) {
        image.set_length(image.length().min(medium.length()));
    }
    image
}

/// What becomes of a call that was not synced. Ranges count pieces.
#[derive(Clone, Debug)]
enum Fate {
    Landed,
    Lost,
    /// These pieces landed and no others.
    Part(Range<usize>),
    /// All pieces but these landed.
    Hole(Range<usize>),
    /// As a hole; in it there is something that nobody wrote.
    Garbage(Range<usize>),
    /// Each piece by a bit.
    Scattered(u64),
}

impl Fate {
    fn any(event: &Event, random: &mut Random) -> Fate {
        match random.below(8) {
            0..2 => Fate::Landed,
            2..4 => Fate::Lost,
            _ => Fate::torn(event, random),
        }
    }

    fn torn(event: &Event, random: &mut Random) -> Fate {
        let Event::Write { bytes, .. } = event else { return Fate::Lost };
        let pieces = bytes.len().div_ceil(PIECE) as u64;
        // Headers are at the beginning, and the copies of a superblock end there.
        let middle = if random.chance(50) { 0 } else { random.below(pieces) as usize };
        let behind = middle + 1 + random.below(pieces - middle as u64) as usize;
        match random.below(6) {
            0 => Fate::Part(0..middle),
            1 => Fate::Part(middle + 1..pieces as usize),
            2 => Fate::Hole(middle..behind),
            3 => Fate::Garbage(middle..middle + 1),
            4 => Fate::Garbage(middle..behind),
            _ => Fate::Scattered(random.next()),
        }
    }

    fn apply(&self, event: &Event, image: &mut Image, random: &mut Random) {
        let Event::Write { offset, bytes } = event else {
            if !matches!(self, Fate::Lost) {
                event.apply(image);
            }
            return;
        };
        let pieces = bytes.len().div_ceil(PIECE);
        let mut write = |pieces: Range<usize>| {
            let (from, to) = (pieces.start * PIECE, (pieces.end * PIECE).min(bytes.len()));
            if from < to {
                image.write(offset + from as u64, &bytes[from..to]);
            }
        };
        match self {
            Fate::Landed => write(0..pieces),
            Fate::Lost => {}
            Fate::Part(part) => write(part.clone()),
            Fate::Hole(hole) | Fate::Garbage(hole) => {
                write(0..hole.start);
                write(hole.end..pieces);
                if matches!(self, Fate::Garbage(_)) {
                    let (from, to) = (hole.start * PIECE, (hole.end * PIECE).min(bytes.len()));
                    let garbage: Vec<u8> = (from..to).map(|_| random.next() as u8).collect();
                    image.write(offset + from as u64, &garbage);
                }
            }
            Fate::Scattered(bits) => {
                for piece in (0..pieces).filter(|piece| bits >> (piece % 64) & 1 == 1) {
                    write(piece..piece + 1);
                }
            }
        }
    }
}
