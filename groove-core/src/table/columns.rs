//! A column block: lane by lane instead of row by row.
//!
//! ```text
//! header | a descriptor per lane | tombstones, if there are any | data per lane | slack, zeros
//! ```
//!
//! The first lanes are the limbs of the key, the others the payload's ([`PayloadLane`]).
//!
//! [`ColumnPlan`] follows the values that are staged for the next block, a frame at a time, and knows
//! what the block would take; [`Columns`] is the checked reader.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytemuck::Zeroable;

use crate::constants::SECTOR_SIZE;
use crate::grid::BLOCK_HEADER_SIZE;
use crate::memory::Key;
use crate::touch::{CACHE_LINE, touch, touch_all};

use super::TreeMeta;
use super::lane::{DESCRIPTOR_SIZE, FRAME_ROWS, FrameStats, Lane, LanePlan, SLACK};
use super::shape::PayloadLane;

fn bitmap_bytes(rows: usize, tombstones: bool) -> usize {
    if tombstones { rows.div_ceil(64) * 8 } else { 0 }
}

/// What the next block would be as columns.
#[derive(Debug)]
pub(super) struct ColumnPlan {
    lanes: Vec<LanePlan>,
    /// Values that were taken: whole frames, but for the last.
    rows: usize,
    tombstones: bool,
    looked: Vec<FrameStats>,
}

/// The values that a plan is about: column by column, and where they begin.
pub(super) struct Staged<'a> {
    pub(super) lanes: &'a [Vec<u64>],
    pub(super) tombstones: &'a [bool],
    pub(super) begin: usize,
}

impl Staged<'_> {
    fn frame(&self, lane: usize, from: usize, rows: usize) -> &[u64] {
        &self.lanes[lane][self.begin + from..self.begin + from + rows]
    }
}

impl ColumnPlan {
    pub(super) fn new(lanes: usize) -> Self {
        ColumnPlan {
            lanes: vec![LanePlan::default(); lanes],
            rows: 0,
            tombstones: false,
            looked: Vec::with_capacity(lanes),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn clear(&mut self) {
        self.lanes.iter_mut().for_each(LanePlan::clear);
        self.rows = 0;
        self.tombstones = false;
    }

    fn has_tombstones(&self, staged: &Staged<'_>, rows: usize) -> bool {
        let from = staged.begin + self.rows;
        self.tombstones || staged.tombstones[from..from + rows].contains(&true)
    }

    /// Bytes of the block, without padding, if the next `rows` staged values (a frame at most) were
    /// its last.
    pub(super) fn look(&mut self, staged: &Staged<'_>, rows: usize) -> usize {
        assert!(0 < rows && rows <= FRAME_ROWS && self.rows.is_multiple_of(FRAME_ROWS));
        let count = self.rows + rows;
        let mut bytes = BLOCK_HEADER_SIZE + self.lanes.len() * DESCRIPTOR_SIZE + SLACK;
        bytes += bitmap_bytes(count, self.has_tombstones(staged, rows));
        self.looked.clear();
        for (number, lane) in self.lanes.iter().enumerate() {
            let values = staged.frame(number, self.rows, rows);
            let stats = lane.look(values);
            bytes += lane.bytes_with(&stats, values, count);
            self.looked.push(stats);
        }
        bytes
    }

    /// Takes the values of the last [`ColumnPlan::look`].
    pub(super) fn take(&mut self, staged: &Staged<'_>, rows: usize) {
        self.tombstones = self.has_tombstones(staged, rows);
        for (number, (lane, stats)) in self.lanes.iter_mut().zip(&self.looked).enumerate() {
            let values = staged.frame(number, self.rows, rows);
            lane.take(stats, values[rows - 1], rows);
        }
        self.rows += rows;
    }

    /// Appends the block, its header still empty.
    pub(super) fn write(&self, staged: &Staged<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let descriptors = start + BLOCK_HEADER_SIZE;
        let bitmap = descriptors + self.lanes.len() * DESCRIPTOR_SIZE;
        out.resize(bitmap + bitmap_bytes(self.rows, self.tombstones), 0);
        if self.tombstones {
            let tombstones = &staged.tombstones[staged.begin..staged.begin + self.rows];
            write_bitmap(tombstones, &mut out[bitmap..]);
        }
        for (number, lane) in self.lanes.iter().enumerate() {
            let values = staged.frame(number, 0, self.rows);
            lane.write(values, out, descriptors + number * DESCRIPTOR_SIZE);
        }
        let length = (out.len() - start + SLACK).next_multiple_of(SECTOR_SIZE);
        out.resize(start + length, 0);
    }
}

/// Sets a bit per tombstone, least significant bit first.
pub(super) fn write_bitmap(tombstones: &[bool], bitmap: &mut [u8]) {
    for (at, _) in tombstones.iter().enumerate().filter(|(_, tombstone)| **tombstone) {
        bitmap[at / 8] |= 1 << (at % 8);
    }
}

/// So many lanes of the payload stand in the head of the block: those of most rows.
const LANES_NEAR: usize = 8;

/// The lanes of a column block, checked. `K`: limbs of a key.
///
/// It has no pointer to what a look-up needs, but for the template, which is always at hand: all of it
/// is waited for at once.
#[derive(Debug, Clone)]
pub(super) struct Columns<const K: usize> {
    /// Of the first limb, the bytes that belong to the key.
    key_mask: u64,
    limbs: [Lane; K],
    template: Arc<Template>,
    /// The lanes of the payload that are not constant, if they are few.
    near: [Lane; LANES_NEAR],
    /// How many they are. If they are many, they stand behind the block, in the same memory.
    varying: u32,
}

/// What the payloads of a block have in common.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    /// A payload with the constant lanes filled in; empty if there are none.
    payload: Box<[u8]>,
    /// Where the values of the other lanes go, in the order of the lanes.
    places: Box<[PayloadLane]>,
}

impl Template {
    /// The numbers of the lanes that have some of the bytes in `parts`.
    fn lanes_of<'a>(&'a self, parts: &'a [Range<usize>]) -> impl Iterator<Item = usize> + 'a {
        let is_wanted = |place: &PayloadLane| parts.iter().any(|part| place.overlap(part) > 0);
        (0..self.places.len()).filter(move |number| is_wanted(&self.places[*number]))
    }

    /// Whether some of the bytes in `parts` are constant: no lane has them.
    fn has_constants(&self, parts: &[Range<usize>]) -> bool {
        if self.payload.is_empty() {
            return false;
        }
        let varying =
            |part: &Range<usize>| self.places.iter().map(|place| place.overlap(part)).sum();
        parts.iter().any(|part| part.len() != varying(part))
    }
}

/// The lanes that have some of the bytes of payloads, for one block after the other: most have the same
/// template as the block before.
pub(super) struct LaneChoice<'a> {
    parts: &'a [Range<usize>],
    /// The template of the last block.
    template: Option<&'a Template>,
    numbers: Vec<usize>,
    has_constants: bool,
}

impl<'a> LaneChoice<'a> {
    /// The lanes that have some of the bytes in `parts`.
    pub(super) fn new(parts: &'a [Range<usize>]) -> Self {
        LaneChoice { parts, template: None, numbers: Vec::new(), has_constants: false }
    }

    #[inline]
    fn follow(&mut self, template: &'a Template) {
        if !self.template.is_some_and(|last| std::ptr::eq(last, template)) {
            self.template = Some(template);
            self.numbers.clear();
            self.numbers.extend(template.lanes_of(self.parts));
            self.has_constants = template.has_constants(self.parts);
        }
    }
}

/// The last template of a tree. Those of most of its blocks are equal, so all of them refer to one, which
/// is always at hand.
#[derive(Debug, Default)]
pub(crate) struct LastTemplate(Mutex<Arc<Template>>);

impl LastTemplate {
    fn share(&self, template: Template) -> Arc<Template> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if **last != template {
            *last = template.into();
        }
        last.clone()
    }
}

/// Where the numbers of one lane of payloads are.
enum Choice {
    /// All payloads have this one.
    Constant(u64),
    /// In the lane with this number, of those that vary.
    Varying(usize),
}

/// What the check of a column block found.
pub(super) struct Checked<const K: usize> {
    pub(super) columns: Columns<K>,
    /// To be put behind the block.
    pub(super) far: Vec<Lane>,
    /// Where the bitmap of tombstones begins.
    pub(super) bitmap: usize,
}

impl<const K: usize> Columns<K> {
    /// Checks a block of `count` values.
    pub(super) fn parse(
        bytes: &[u8],
        count: usize,
        tombstones: bool,
        meta: &TreeMeta,
    ) -> Result<Checked<K>, &'static str> {
        let lane_count = meta.lane_count(K);
        let bitmap = BLOCK_HEADER_SIZE + lane_count * DESCRIPTOR_SIZE;
        let mut at = bitmap + bitmap_bytes(count, tombstones);
        let mut parse = |number: usize| {
            let descriptor = BLOCK_HEADER_SIZE + number * DESCRIPTOR_SIZE;
            let (lane, end) = Lane::parse(bytes, descriptor, at, count)?;
            at = end;
            Ok::<Lane, &'static str>(lane)
        };
        let mut limbs = [Lane::zeroed(); K];
        for (number, limb) in limbs.iter_mut().enumerate() {
            *limb = parse(number)?;
        }
        let mut payload = vec![0; meta.payload_width];
        let mut varying = Vec::with_capacity(meta.lanes.len());
        let mut places = Vec::with_capacity(meta.lanes.len());
        for (number, place) in meta.lanes.iter().enumerate() {
            let lane = parse(K + number)?;
            match lane.constant() {
                Some(value) => place.write(value, &mut payload),
                None => {
                    varying.push(lane);
                    places.push(*place);
                }
            }
        }
        if (at + SLACK).next_multiple_of(SECTOR_SIZE) != bytes.len() {
            return Err("length");
        }
        if varying.len() == meta.lanes.len() {
            payload.clear();
        }
        let high_bytes = meta.key_width.saturating_sub(8 * (K - 1));
        let key_mask = match high_bytes {
            0 => 0,
            bytes => u64::MAX >> (64 - 8 * bytes.min(8)),
        };
        let template = Template { payload: payload.into(), places: places.into() };
        let count = u32::try_from(varying.len()).map_err(|_| "length")?;
        let mut near = [Lane::zeroed(); LANES_NEAR];
        if let Some(near) = near.get_mut(..varying.len()) {
            near.copy_from_slice(&varying);
            varying.clear();
        }
        let columns = Columns {
            key_mask,
            limbs,
            template: meta.template.share(template),
            near,
            varying: count,
        };
        Ok(Checked { columns, far: varying, bitmap })
    }

    /// Calls with each lane of the payload that is not constant, and its number among these.
    #[inline]
    fn each_varying(&self, bytes: &[u8], mut call: impl FnMut(usize, Lane)) {
        match self.near.get(..self.varying as usize) {
            Some(near) => near.iter().enumerate().for_each(|(number, lane)| call(number, *lane)),
            None => {
                let lanes = self.far(bytes).as_chunks::<{ size_of::<Lane>() }>().0;
                for (number, lane) in lanes.iter().enumerate() {
                    call(number, bytemuck::pod_read_unaligned(lane));
                }
            }
        }
    }

    #[inline]
    fn far<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[bytes.len() - self.varying as usize * size_of::<Lane>()..]
    }

    #[inline]
    pub(super) fn key(&self, bytes: &[u8], at: usize, count: usize) -> Key<K> {
        let mut key = [0; K];
        for (limb, lane) in key.iter_mut().zip(&self.limbs) {
            *limb = lane.get(bytes, at, count);
        }
        key[0] &= self.key_mask;
        key
    }

    #[inline]
    pub(super) fn payload(&self, bytes: &[u8], at: usize, count: usize, out: &mut [u8]) {
        if !self.template.payload.is_empty() {
            out.copy_from_slice(&self.template.payload);
        }
        let places = &self.template.places;
        self.each_varying(bytes, |number, lane| {
            places[number].write(lane.get(bytes, at, count), out);
        });
    }

    /// A lane of the payload that is not constant.
    #[inline]
    fn varying(&self, bytes: &[u8], number: usize) -> Lane {
        match self.varying as usize {
            ..=LANES_NEAR => self.near[number],
            _ => bytemuck::pod_read_unaligned(
                &self.far(bytes).as_chunks::<{ size_of::<Lane>() }>().0[number],
            ),
        }
    }

    /// Calls with each place in the block where the chosen parts of a payload lie.
    #[inline]
    pub(super) fn each_chosen_place<'a>(
        &'a self,
        choice: &mut LaneChoice<'a>,
        bytes: &[u8],
        at: usize,
        count: usize,
        mut call: impl FnMut(usize),
    ) {
        choice.follow(&self.template);
        for number in &choice.numbers {
            if let Some(place) = self.varying(bytes, *number).place_of(bytes, at, count) {
                call(place);
            }
        }
    }

    /// Puts the chosen parts of a payload into `out`.
    #[inline]
    pub(super) fn read_chosen<'a>(
        &'a self,
        choice: &mut LaneChoice<'a>,
        bytes: &[u8],
        at: usize,
        count: usize,
        out: &mut [u8],
    ) {
        choice.follow(&self.template);
        if choice.has_constants {
            for part in choice.parts {
                out[part.clone()].copy_from_slice(&self.template.payload[part.clone()]);
            }
        }
        for number in &choice.numbers {
            let value = self.varying(bytes, *number).get(bytes, at, count);
            self.template.places[*number].write(value, out);
        }
    }

    /// The first position whose key is at least `key`: the first limb decides but among equals.
    pub(super) fn lower_bound(&self, bytes: &[u8], count: usize, key: &Key<K>) -> usize {
        let (mut from, mut to) = (0, count);
        for (number, (lane, limb)) in self.limbs.iter().zip(key).enumerate() {
            from = lane.lower_bound(bytes, count, from, to, *limb);
            if from == to || number + 1 == K || lane.get(bytes, from, count) != *limb {
                return from;
            }
            // Keys that are unique by a limb have no equals.
            to = match limb.checked_add(1) {
                _ if from + 1 < to && lane.get(bytes, from + 1, count) != *limb => from + 1,
                Some(above) if lane.get(bytes, to - 1, count) != *limb => {
                    lane.lower_bound(bytes, count, from, to, above)
                }
                _ => to,
            };
        }
        from
    }

    /// The positions whose keys are `min`, `max` or between them; both agree in all limbs but the last. The
    /// lanes of the first limbs are searched once.
    pub(super) fn span(
        &self,
        bytes: &[u8],
        count: usize,
        min: &Key<K>,
        max: &Key<K>,
    ) -> Range<usize> {
        let (mut from, mut to) = (0, count);
        let (prefix, [last]) = self.limbs.split_at(K - 1) else { return 0..0 };
        for (lane, limb) in prefix.iter().zip(min) {
            from = lane.lower_bound(bytes, count, from, to, *limb);
            if from == to || lane.get(bytes, from, count) != *limb {
                return from..from;
            }
            if let Some(above) = limb.checked_add(1)
                && lane.get(bytes, to - 1, count) != *limb
            {
                to = lane.lower_bound(bytes, count, from, to, above);
            }
        }
        if from == to {
            return from..from;
        }
        let (low, high) = (min[K - 1], max[K - 1]);
        if last.get(bytes, from, count) < low {
            from = last.lower_bound(bytes, count, from, to, low);
        }
        if from < to && last.get(bytes, to - 1, count) > high {
            to = last.lower_bound(bytes, count, from, to, high + 1);
        }
        from..to
    }

    /// Touches what tells where the payload lies.
    #[inline]
    pub(super) fn touch_lanes(&self, bytes: &[u8]) {
        let near = (0..LANES_NEAR).step_by(CACHE_LINE / size_of::<Lane>());
        near.for_each(|at| touch(&self.near, at));
        if self.varying as usize > LANES_NEAR {
            touch_all(self.far(bytes));
        }
    }

    /// Calls with each place in the block where the payload lies.
    #[inline]
    pub(super) fn each_place(
        &self,
        bytes: &[u8],
        at: usize,
        count: usize,
        mut call: impl FnMut(usize),
    ) {
        self.each_varying(bytes, |_, lane| {
            if let Some(place) = lane.place_of(bytes, at, count) {
                call(place);
            }
        });
    }

    /// The lane of the last limb.
    #[inline]
    pub(super) fn last_limb(&self) -> &Lane {
        &self.limbs[K - 1]
    }

    /// Writes the payloads at these positions of `count`, row by row, or at least those `parts` of them.
    pub(super) fn unpack_payloads(
        &self,
        bytes: &[u8],
        (positions, count): (Range<usize>, usize),
        width: usize,
        parts: Option<&[Range<usize>]>,
        payloads: &mut [u8],
        scratch: &mut Vec<u64>,
    ) {
        let template = &*self.template;
        if parts.is_none_or(|parts| template.has_constants(parts)) && !template.payload.is_empty() {
            let payloads = payloads.chunks_exact_mut(width);
            payloads.for_each(|payload| payload.copy_from_slice(&template.payload));
        }
        let unpack = |number: usize| {
            scratch.clear();
            self.varying(bytes, number).unpack(bytes, positions.clone(), count, scratch);
            template.places[number].write_all(scratch, payloads.chunks_exact_mut(width));
        };
        match parts {
            Some(parts) => template.lanes_of(parts).for_each(unpack),
            None => (0..template.places.len()).for_each(unpack),
        }
    }

    /// Two numbers between which one lane of all `count` payloads is; `None` if that is not known.
    pub(super) fn lane_bounds(
        &self,
        bytes: &[u8],
        count: usize,
        lane: PayloadLane,
    ) -> Option<(u64, u64)> {
        match self.choose(lane) {
            Some(Choice::Constant(number)) => Some((number, number)),
            Some(Choice::Varying(lane)) => self.varying(bytes, lane).bounds(bytes, count),
            None => None,
        }
    }

    /// What has the numbers of one lane of payloads; `None` if rows are cut into other lanes.
    fn choose(&self, lane: PayloadLane) -> Option<Choice> {
        let Template { payload, places } = &*self.template;
        if let Some(number) = places.iter().position(|place| *place == lane) {
            return Some(Choice::Varying(number));
        }
        let part = lane.offset..lane.offset + lane.width;
        let is_constant = places.iter().all(|place| place.overlap(&part) == 0);
        is_constant.then(|| Choice::Constant(lane.read(payload)))
    }

    /// Appends what one lane of payloads has at these positions of `count`; if it is constant, gives it instead.
    pub(super) fn unpack_numbers(
        &self,
        bytes: &[u8],
        (positions, count): (Range<usize>, usize),
        lane: PayloadLane,
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        match self.choose(lane) {
            Some(Choice::Constant(number)) => return Some(number),
            Some(Choice::Varying(lane)) => {
                self.varying(bytes, lane).unpack(bytes, positions, count, numbers);
            }
            None => {
                let Template { payload, places } = &*self.template;
                let ends = places.iter().map(|place| place.offset + place.width);
                let mut row = vec![0; ends.fold(payload.len(), usize::max)];
                numbers.extend(positions.map(|at| {
                    self.payload(bytes, at, count, &mut row);
                    lane.read(&row)
                }));
            }
        }
        None
    }

    /// Appends the keys at these positions of `count`.
    pub(super) fn unpack_keys(
        &self,
        bytes: &[u8],
        positions: Range<usize>,
        count: usize,
        keys: &mut Vec<Key<K>>,
        scratch: &mut Vec<u64>,
    ) {
        let start = keys.len();
        keys.resize(start + positions.len(), [0; K]);
        for (number, lane) in self.limbs.iter().enumerate() {
            scratch.clear();
            lane.unpack(bytes, positions.clone(), count, scratch);
            let mask = if number == 0 { self.key_mask } else { u64::MAX };
            for (key, limb) in keys[start..].iter_mut().zip(&*scratch) {
                key[number] = limb & mask;
            }
        }
    }

    /// Appends all keys, and lane by lane the payloads.
    pub(super) fn unpack(
        &self,
        bytes: &[u8],
        count: usize,
        places: &[PayloadLane],
        keys: &mut Vec<Key<K>>,
        lanes: &mut [Vec<u64>],
        scratch: &mut Vec<u64>,
    ) {
        self.unpack_keys(bytes, 0..count, count, keys, scratch);
        // Which lanes vary: in the order of all lanes.
        let mut lane_of = vec![None; lanes.len()];
        let mut next = 0;
        self.each_varying(bytes, |number, lane| {
            while places[next] != self.template.places[number] {
                next += 1;
            }
            lane_of[next] = Some(lane);
            next += 1;
        });
        for ((lane, place), out) in lane_of.into_iter().zip(places).zip(lanes) {
            match lane {
                Some(lane) => lane.unpack(bytes, 0..count, count, out),
                None => out.resize(out.len() + count, place.read(&self.template.payload)),
            }
        }
    }
}
