//! What the tests of the port floor share: counting what the process holds, and building messages that this library
//! would not build.

#![allow(dead_code)] // each test binary uses a part

use std::sync::{Mutex, MutexGuard, PoisonError};

use machipc::mach;
use machipc::message::{MachMessage, Prefix};

/// Keeps the tests of a binary that count names or memory from disturbing one another.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The user references of a right under a name; 0 for a name that does not exist.
pub fn refs(name: u32, right: u32) -> u32 {
    let mut refs = 0;
    // SAFETY: `refs` is valid for one write.
    let code = unsafe { mach::mach_port_get_refs(mach::mach_task_self(), name, right, &mut refs) };
    if code == mach::KERN_SUCCESS { refs } else { 0 }
}

pub fn send_refs(name: u32) -> u32 {
    refs(name, mach::MACH_PORT_RIGHT_SEND)
}

pub fn dead_refs(name: u32) -> u32 {
    refs(name, mach::MACH_PORT_RIGHT_DEAD_NAME)
}

/// What a name denotes; 0 for a name that does not exist.
pub fn port_type(name: u32) -> u32 {
    let mut bits = 0;
    // SAFETY: `bits` is valid for one write.
    let code = unsafe { mach::mach_port_type(mach::mach_task_self(), name, &mut bits) };
    if code == mach::KERN_SUCCESS { bits } else { 0 }
}

/// A name that the process holds: what it denotes, and its references of each kind.
pub type Held = (u32, u32, [u32; 5]);

/// Every name that the process holds.
pub fn holdings() -> Vec<Held> {
    let (mut names, mut types) = (core::ptr::null_mut(), core::ptr::null_mut());
    let (mut names_count, mut types_count) = (0, 0);
    // SAFETY: each pointer is valid for one write.
    let code = unsafe {
        mach::mach_port_names(
            mach::mach_task_self(),
            &mut names,
            &mut names_count,
            &mut types,
            &mut types_count,
        )
    };
    assert_eq!(code, mach::KERN_SUCCESS);
    if names_count == 0 {
        return Vec::new();
    }
    // SAFETY: the call made an array of so many names, which is ours until it is freed below.
    let listed = unsafe { core::slice::from_raw_parts(names, names_count as usize) };
    // SAFETY: as above, for the types.
    let kinds = unsafe { core::slice::from_raw_parts(types, types_count as usize) };
    let mut held: Vec<Held> = listed
        .iter()
        .zip(kinds)
        .map(|(&name, &bits)| (name, bits, core::array::from_fn(|right| refs(name, right as u32))))
        .collect();
    for (array, count) in [(names, names_count), (types, types_count)] {
        // SAFETY: the array is ours to free and is used no more.
        unsafe { mach::vm_deallocate(mach::mach_task_self(), array as usize, count as usize * 4) };
    }
    held.sort_unstable();
    held
}

/// How many bytes the process has mapped to write, where the system tells; 0 elsewhere. What the allocator merely reserves
/// cannot be written and does not count.
pub fn mapped_bytes() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines()
        .filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let bound = |text| usize::from_str_radix(text, 16).ok();
            rest.starts_with("rw").then_some(bound(end)? - bound(start)?)
        })
        .sum()
}

/// Runs `body` many times and checks that it leaves no name, reference or large piece of memory behind. Each run should
/// move `region` bytes of memory or more, if it moves any.
pub fn leaves_nothing(region: usize, mut body: impl FnMut()) {
    const ROUNDS: usize = 12;
    body(); // thread-local and other lasting things come to be
    let (held, mapped) = (holdings(), mapped_bytes());
    for _ in 0..ROUNDS {
        body();
    }
    let now = holdings();
    let stayed: Vec<_> = now.iter().filter(|one| !held.contains(one)).collect();
    assert!(stayed.is_empty(), "{} names stayed or changed, such as {:x?}", stayed.len(), stayed[0]);
    assert_eq!(now.len(), held.len(), "names that were there are gone");
    let grown = mapped_bytes().saturating_sub(mapped);
    // What is freed a sanitizer keeps.
    let measured = region > 0 && !cfg!(machipc_sanitizer);
    assert!(!measured || grown < region * ROUNDS / 2, "{grown} bytes more are mapped");
}

/// Runs `body`, which might wait for ever if something is wrong, under a watchdog.
pub fn ends(body: impl FnOnce() + Send + 'static) {
    let (done, wait) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match wait.recv_timeout(std::time::Duration::from_secs(60)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it still waits after a minute"),
        _ => thread.join().unwrap(),
    }
}

/// A descriptor in a message that is built by hand.
#[derive(Clone, Copy)]
pub enum Hand {
    Port { name: u32, disposition: u32 },
    Memory { address: usize, size: u32, copy: u8, volatile: bool },
    Ports { address: usize, count: u32, disposition: u32 },
    Guarded { name: u32 },
}

/// A message that is built by hand.
#[derive(Clone, Default)]
pub struct ByHand {
    pub remote: (u32, u32),
    pub local: (u32, u32),
    pub id: i32,
    pub descriptors: Vec<Hand>,
    /// What follows the descriptors.
    pub rest: Vec<u8>,
    /// The body of a message without the complex bit, instead of `rest`.
    pub simple: bool,
    /// The array that a `Hand::Ports` points to.
    pub names: Vec<u32>,
}

impl ByHand {
    /// A message to this right that says it is an `M` with this payload.
    pub fn of<M: MachMessage>(to: u32, descriptors: Vec<Hand>, payload: &[u8]) -> Self {
        let prefix = Prefix::new(payload.len(), M::fingerprint(), 0).unwrap();
        Self::with_prefix(to, descriptors, prefix, payload)
    }

    pub fn with_prefix(to: u32, descriptors: Vec<Hand>, prefix: Prefix, payload: &[u8]) -> Self {
        let sizes = descriptors.iter().map(|one| if matches!(one, Hand::Port { .. }) { 12 } else { 16 });
        let head: usize = if descriptors.is_empty() { 24 } else { 28 + sizes.sum::<usize>() };
        let mut rest = vec![0; head.next_multiple_of(16) - head];
        rest.extend_from_slice(&prefix.to_bytes());
        rest.extend_from_slice(payload);
        Self {
            remote: (mach::MACH_MSG_TYPE_COPY_SEND, to),
            id: machipc::message::PLAIN_ID,
            simple: descriptors.is_empty(),
            descriptors,
            rest,
            ..Self::default()
        }
    }

    /// The same, which keeps the array that a descriptor of it points to.
    pub fn keeping(self, names: Vec<u32>) -> Self {
        Self { names, ..self }
    }

    /// Sends it, without waiting.
    pub fn send(&self) -> i32 {
        let complex = if self.simple { 0 } else { mach::MACH_MSGH_BITS_COMPLEX };
        let bits = mach::MACH_MSGH_BITS(self.remote.0, self.local.0) | complex;
        let mut bytes = Vec::new();
        for word in [bits, 0, self.remote.1, self.local.1, 0, self.id as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        if !self.simple {
            bytes.extend_from_slice(&(self.descriptors.len() as u32).to_le_bytes());
        }
        for descriptor in &self.descriptors {
            match *descriptor {
                Hand::Port { name, disposition } => {
                    bytes.extend_from_slice(&name.to_le_bytes());
                    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, disposition as u8, 0]);
                }
                Hand::Memory { address, size, copy, volatile } => {
                    bytes.extend_from_slice(&(address as u64).to_le_bytes());
                    bytes.extend_from_slice(&[0, copy, 0, if volatile { 3 } else { 1 }]);
                    bytes.extend_from_slice(&size.to_le_bytes());
                }
                Hand::Ports { address, count, disposition } => {
                    bytes.extend_from_slice(&(address as u64).to_le_bytes());
                    bytes.extend_from_slice(&[0, 1, disposition as u8, 2]);
                    bytes.extend_from_slice(&count.to_le_bytes());
                }
                Hand::Guarded { name } => {
                    bytes.extend_from_slice(&0u64.to_le_bytes());
                    bytes.extend_from_slice(&mach::MACH_MSG_GUARD_FLAGS_MASK.to_le_bytes()); // no guard yet
                    bytes.extend_from_slice(&[mach::MACH_MSG_TYPE_MOVE_RECEIVE as u8, 4]);
                    bytes.extend_from_slice(&name.to_le_bytes());
                }
            }
        }
        bytes.extend_from_slice(&self.rest);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let mut words: Vec<u32> =
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        let option = mach::MACH_SEND_MSG | mach::MACH_SEND_TIMEOUT;
        // SAFETY: the words are aligned to 4 and as many as told; memory in the descriptors is only read.
        unsafe { mach::mach_msg(words.as_mut_ptr().cast(), option, bytes.len() as u32, 0, 0, 0, 0) }
    }

    /// Sends it, and must succeed.
    pub fn sent(&self) {
        assert_eq!(self.send(), mach::MACH_MSG_SUCCESS);
    }
}

/// A port that only a name knows, to put into messages that are built by hand.
pub fn new_port() -> u32 {
    let mut name = 0;
    // SAFETY: `name` is valid for one write.
    let code =
        unsafe { mach::mach_port_allocate(mach::mach_task_self(), mach::MACH_PORT_RIGHT_RECEIVE, &mut name) };
    assert_eq!(code, mach::KERN_SUCCESS);
    name
}
