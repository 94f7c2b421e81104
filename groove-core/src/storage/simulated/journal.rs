//! Everything that was done to a device, and the device at any point of it.

use std::sync::Arc;

use super::image::Image;

/// A call that changed a device, or made changes durable.
#[derive(Clone, Debug)]
pub enum Event {
    /// Bytes were written.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// Space was reserved: the device is at least this long.
    Allocate {
        /// The length, in bytes.
        end: u64,
    },
    /// Space was given back: its contents are lost.
    Release {
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// What was written before is durable.
    Sync,
}

impl Event {
    /// Carries it out in order, whole.
    pub fn apply(&self, image: &mut Image) {
        match self {
            Event::Write { offset, bytes } => image.write(*offset, bytes),
            Event::Allocate { end } => image.grow(*end),
            Event::Release { offset, length } => image.clear(*offset, *length),
            Event::Sync => {}
        }
    }
}

/// What was done to a device since some moment, call after call.
#[derive(Clone, Debug)]
pub struct Journal {
    events: Vec<Event>,
    /// What is durable after each sync, with the number of events up to and including it. The first
    /// is the device at the beginning.
    durable: Vec<(usize, Image)>,
}

impl Journal {
    /// A journal of a device that holds `image`, all of it durable.
    pub fn new(image: Image) -> Journal {
        Journal { events: Vec::new(), durable: vec![(0, image)] }
    }

    /// Notes a call.
    pub(super) fn add(&mut self, event: Event) {
        let is_sync = matches!(event, Event::Sync);
        self.events.push(event);
        if is_sync {
            let image = self.cached(self.events.len());
            self.durable.push((self.events.len(), image));
        }
    }

    /// The calls in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What is durable for certain when the first `count` calls have returned, and the calls that
    /// are not.
    pub fn at(&self, count: usize) -> (&Image, &[Event]) {
        let after = self.durable.partition_point(|(events, _)| *events <= count);
        let (from, image) = &self.durable[after - 1];
        (image, &self.events[*from..count])
    }

    /// What a reader sees when the first `count` calls have returned.
    pub fn cached(&self, count: usize) -> Image {
        let (image, events) = self.at(count);
        let mut image = image.clone();
        events.iter().for_each(|event| event.apply(&mut image));
        image
    }
}
