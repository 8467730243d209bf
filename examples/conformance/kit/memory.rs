//! Memory for out-of-line descriptors, and whether it is mapped.

use super::{Message, Outcome, Received, port, receive, release};
use machipc::mach::*;

/// A multiple of every system's page size.
pub const PAGE_STEP: usize = 64 * 1024;

/// Pages of this task. They are freed by [`Region::free`] only, as Mach has it.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    pub address: u64,
    pub size: u32,
}

impl Region {
    /// Fresh zeroed pages.
    pub fn new(size: usize) -> Outcome<Region> {
        let mut address = 0;
        // SAFETY: `address` is a live local, and the system chooses the pages.
        let code = unsafe { vm_allocate(mach_task_self(), &mut address, size, VM_FLAGS_ANYWHERE) };
        expect_code!(code, KERN_SUCCESS);
        Ok(Region { address: address as u64, size: size as u32 })
    }

    /// Fresh pages with a pattern that differs from byte to byte and from `seed` to `seed`.
    pub fn patterned(size: usize, seed: u8) -> Outcome<Region> {
        let region = Region::new(size)?;
        region.write(0, &pattern(size, seed));
        Ok(region)
    }

    /// Memory that a call handed out.
    pub fn received(address: u64, size: u32) -> Region {
        Region { address, size }
    }

    /// Part of the region.
    pub fn part(&self, offset: usize, size: usize) -> Region {
        Region { address: self.address + offset as u64, size: size as u32 }
    }

    pub fn write(&self, offset: usize, bytes: &[u8]) {
        let to = (self.address as usize + offset) as *mut u8;
        // SAFETY: rules write only to regions that they own and that are mapped; Rust holds no reference into them.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    pub fn read(&self, offset: usize, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        let from = (self.address as usize + offset) as *const u8;
        // SAFETY: rules read only regions that they own and that are mapped.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), size) }
        bytes
    }

    /// All of its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.read(0, self.size as usize)
    }

    /// Writes an array of names.
    pub fn write_names(&self, names: &[u32]) {
        let bytes: Vec<u8> = names.iter().flat_map(|name| name.to_le_bytes()).collect();
        self.write(0, &bytes);
    }

    /// All of it as 32-bit words.
    pub fn words(&self) -> Vec<u32> {
        let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if self.size == 0 { Vec::new() } else { self.bytes().chunks_exact(4).map(word).collect() }
    }

    /// Its words, after which it is freed.
    pub fn into_words(self) -> Outcome<Vec<u32>> {
        let words = self.words();
        self.free()?;
        Ok(words)
    }

    /// Unmaps it.
    pub fn free(self) -> Outcome {
        // SAFETY: rules free only regions that they own; Rust holds no reference into them.
        let code = unsafe { vm_deallocate(mach_task_self(), self.address as usize, self.size as usize) };
        expect_code!(code, KERN_SUCCESS);
        Ok(())
    }
}

/// What [`Region::patterned`] writes.
pub fn pattern(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|i| (i as u8).wrapping_mul(31) ^ ((i >> 8) as u8) ^ seed).collect()
}

/// Whether all pages of a range are mapped. The question is put as an out-of-line descriptor: rule R-109 makes the
/// kernel refuse a range with a hole.
pub fn is_mapped(address: u64, size: u32) -> Outcome<bool> {
    let port = port()?;
    let probe =
        Message::to(port, MACH_MSG_TYPE_MAKE_SEND).memory_at(1, address, size, MACH_MSG_VIRTUAL_COPY, 0);
    let code = probe.send();
    let mapped = match code {
        MACH_MSG_SUCCESS => {
            let answer: Received = receive(port)?;
            answer.release()?;
            true
        }
        MACH_SEND_INVALID_MEMORY => false,
        _ => fail!("expected a probe of memory to be sent or refused, got {}", super::code_text(code)),
    };
    release(&[port])?;
    Ok(mapped)
}

/// Demands that a range is mapped, or that none of its pages is.
pub fn mapped_state(what: &str, region: Region, want: bool) -> Outcome {
    let page = page_size()?;
    let first = region.address / page * page;
    let last = (region.address + u64::from(region.size.max(1)) - 1) / page * page;
    let mut at = first;
    while at <= last {
        if is_mapped(at, 1)? != want {
            let state = |mapped: bool| if mapped { "mapped" } else { "unmapped" };
            fail!("expected {what} {}, got page {:#x} {}", state(want), at, state(!want));
        }
        at += page;
    }
    Ok(())
}

/// The page size, found by freeing one byte and looking how much went with it.
pub fn page_size() -> Outcome<u64> {
    use std::sync::OnceLock;
    static SIZE: OnceLock<u64> = OnceLock::new();
    if let Some(size) = SIZE.get() {
        return Ok(*size);
    }
    let region = Region::new(4 * PAGE_STEP)?;
    // The page is cut out of the middle, so that no later mapping is likely to be put there.
    let middle = region.part(PAGE_STEP, 1);
    middle.free()?;
    let mut size = 4096;
    while size < PAGE_STEP as u64 && !is_mapped(middle.address + size, 1)? {
        size *= 2;
    }
    region.free()?;
    Ok(*SIZE.get_or_init(|| size))
}
