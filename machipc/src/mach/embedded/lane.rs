//! A *lane*: the short way of simple messages between threads of this process.
//!
//! Through a port's queue, sender and receiver take the kernel's lock by turns and move a message's cache lines to and fro: more than a
//! microsecond a message. So once a thread has sent many one-way messages that carry nothing but bytes to a port whose receiver does not
//! sleep, a ring is laid in front of the port's queue. The sender writes into it without the kernel's lock; the receiver, who reads from it,
//! then has that lock to itself, which makes it nearly free (`bias`).
//!
//! No rule of Mach knows of lanes, since nobody sees one: every call but the two short ways closes all lanes first, which puts into the queues
//! what they hold ([`Task::with`](super::task::Task::with)). A receiver that is about to sleep makes such a call, so there is nobody to wake.
//! Messages in a lane hold no right: the sender's name does as long as the lane is open, and to take that away closes it.
//!
//! Closing one costs about 12 µs where the sender runs at that time, which is why it takes many messages to open one.
//!
//! While it is open what a message costs are the cache lines that go from one processor to the other and back, each some 150 ns on its way. Neither
//! side waits for one if the other is a few messages off: the sender claims the places that it will write to in advance, the receiver has what
//! it will read brought near, and in a stream it lets the sender go ahead for a moment before it looks for more, instead of following it line by
//! line, which would make both slower.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::barrier;
use super::bias::BiasedMutex;
use super::copyout::{trailer_size, write_trailer};
use super::kernel::Kernel;
use super::link::plain::halves;
use super::link::rows::{ROW_MAX, TAKEN_MAX, is_writable, write_header};
use super::link::simple::Short;
use super::link::{CAPACITY, Consumer, Producer, Watch, create_within, place_of};
use super::memory;
use super::message::{Carried, Message, Right, Sender};
use super::port::{Home, PortId};
use super::recycle;
use super::room::Room;
use super::space::Object;
use super::spin;
use super::task::Task;
use crate::mach::{MACH_PORT_NULL, ROW_ALIGN, mach_msg_header_t, mach_msg_option_t, mach_port_name_t};

/// So many messages in a row go through the queue before there is a lane.
const OPENED_AFTER: u32 = 32;
/// Open lanes at a time.
const OPEN_MAX: usize = 4;
/// Closed ones that are kept: their memory is there already.
const KEPT: usize = 1;
/// The most bytes of a message on a lane, so that several fit.
const LARGEST: usize = CAPACITY as usize / 8;
/// The sender claims the places that it will write to so many bytes ahead, and the receiver has what it will read brought near: about as many as
/// either gets through while a cache line comes from another processor.
const AHEAD: u32 = 512;
/// A frame's head: length of what follows, id, voucher, 0.
const HEAD: usize = 16;
const MESSAGE_HEADER: usize = size_of::<mach_msg_header_t>();

/// The sender's side.
pub(super) struct Lane {
    sending: BiasedMutex<Sending, 1>,
    /// How many messages were received, as the receiver last told.
    received: Received,
}

/// On cache lines of its own.
#[repr(align(128))]
struct Received(AtomicU32);

struct Sending {
    /// The name by which messages are sent, or NULL while the lane is closed.
    name: mach_port_name_t,
    ring: Producer,
    /// The port's queue limit.
    limit: u32,
    sent: u32,
    /// `Lane::received` when last looked at.
    received: u32,
}

/// The receiver's side of an open lane, under the kernel's lock.
struct Open {
    port: PortId,
    lane: Arc<Lane>,
    ring: Consumer,
    limit: u32,
    taken: u32,
    /// The `taken` that the sender was last told.
    told: u32,
    /// Messages since the receiver last looked how far the sender is.
    streak: u32,
    /// How many of them count for the gap before the next look.
    gaps: u32,
    sender: Sender,
}

/// All lanes of the task.
#[derive(Default)]
pub(super) struct Lanes {
    open: Vec<Open>,
    closed: Vec<(Arc<Lane>, Consumer)>,
    /// The port to which the last messages went that could have gone by a lane, and how many.
    streak: Option<(PortId, u32)>,
}

impl Lanes {
    /// Lets threads own the senders' locks.
    pub(super) fn allow_owners(&self) {
        let open = self.open.iter().map(|open| &open.lane);
        open.chain(self.closed.iter().map(|(lane, _)| lane)).for_each(|lane| lane.sending.allow_owners());
    }

    /// How many messages count for the gap before the next look at a port's lane (see [`spin::gap`]).
    pub(super) fn gaps(&mut self, port: PortId) -> u32 {
        let open = self.open.iter_mut().find(|open| open.port == port);
        open.map_or(0, |open| core::mem::take(&mut open.gaps))
    }

    /// What tells that something is in a lane.
    pub(super) fn watches(&self) -> impl Iterator<Item = Watch> + '_ {
        self.open.iter().map(|open| open.ring.watch())
    }
}

enum Pushed {
    Done,
    Full,
    /// The lane is closed, or leads elsewhere.
    Closed,
}

impl Sending {
    #[inline(always)]
    fn push(&mut self, id: i32, voucher: u32, bytes: &[u8]) -> bool {
        let len = place_of(HEAD + bytes.len()) as u32;
        // The ring is this process's own and never corrupt.
        if self.ring.room(len).is_ok_and(|room| room >= len) {
            let head: [u8; HEAD] = zerocopy::transmute!([bytes.len() as u32, id as u32, voucher, 0]);
            self.ring.write_two(head, bytes);
            self.ring.end_frame();
            self.sent = self.sent.wrapping_add(1);
            return true;
        }
        false
    }
}

impl Lane {
    #[inline(always)]
    fn push(&self, header: &mach_msg_header_t, bytes: &[u8]) -> Pushed {
        let mut sending = self.sending.lock();
        if sending.name != header.msgh_remote_port || bytes.len() > LARGEST {
            return Pushed::Closed;
        }
        if sending.sent.wrapping_sub(sending.received) >= sending.limit {
            sending.received = self.received.0.load(Ordering::Acquire);
            if sending.sent.wrapping_sub(sending.received) >= sending.limit {
                return Pushed::Full;
            }
        }
        if !sending.push(header.msgh_id, header.msgh_voucher_port, bytes) {
            return Pushed::Full;
        }
        sending.ring.publish_unheard();
        Pushed::Done
    }
}

thread_local! {
    /// The lane by which the thread last sent.
    static LANE: RefCell<Option<Arc<Lane>>> = const { RefCell::new(None) };
}

impl Task {
    /// Sends a simple one-way message by the lane that the thread used last. False: nothing has happened.
    #[inline(always)]
    pub(super) fn send_by_known_lane(&self, header: &mach_msg_header_t, bytes: &[u8], waits: bool) -> bool {
        let sent = LANE.try_with(|lane| {
            let mut lane = lane.borrow_mut();
            let Some(known) = &*lane else { return false };
            match self.push(known, header, bytes, waits) {
                Pushed::Done => true,
                Pushed::Full => false,
                Pushed::Closed => {
                    *lane = None;
                    false
                }
            }
        });
        sent.unwrap_or(false)
    }

    /// The same by this lane, and by it again next time.
    pub(super) fn send_by_lane(
        &self,
        lane: Arc<Lane>,
        header: &mach_msg_header_t,
        bytes: &[u8],
        waits: bool,
    ) -> bool {
        let sent = matches!(self.push(&lane, header, bytes, waits), Pushed::Done);
        let _ = LANE.try_with(|known| *known.borrow_mut() = Some(lane));
        sent
    }

    /// Waits a moment for room, where `waits` allows it: to wait as the general way does would close the lane.
    #[inline(always)]
    fn push(&self, lane: &Lane, header: &mach_msg_header_t, bytes: &[u8], waits: bool) -> Pushed {
        match lane.push(header, bytes) {
            Pushed::Full if waits => self.push_soon(lane, header, bytes),
            pushed => pushed,
        }
    }

    #[cold]
    fn push_soon(&self, lane: &Lane, header: &mach_msg_header_t, bytes: &[u8]) -> Pushed {
        let reader = lane.sending.lock().ring.reader_processor();
        let Some(spin) = self.poller().and_then(|poller| poller.spin_for(reader)) else {
            return Pushed::Full;
        };
        let began = Instant::now();
        loop {
            for _ in 0..32 {
                core::hint::spin_loop();
            }
            match lane.push(header, bytes) {
                Pushed::Full if began.elapsed() < spin => {}
                pushed => return pushed,
            }
        }
    }
}

impl Kernel {
    /// The open lane to what this name denotes.
    pub(super) fn lane_to(&self, name: mach_port_name_t) -> Option<Arc<Lane>> {
        if self.lanes.open.is_empty() {
            return None;
        }
        let Object::Port { port, send: true, .. } = self.space.get(name)?.object else { return None };
        self.lanes.open.iter().find(|open| open.port == port).map(|open| open.lane.clone())
    }

    /// A message has gone into a port's queue, or to a thread that waited for it. After many the next ones get a lane.
    pub(super) fn consider_lane(&mut self, port: PortId, sender: &Sender) {
        let count = match self.lanes.streak {
            _ if self.waiters.len() > 0 => {
                self.lanes.streak = None;
                return;
            }
            Some((last, count)) if last == port => count + 1,
            _ => 1,
        };
        self.lanes.streak = Some((port, count));
        if count >= OPENED_AFTER {
            self.lanes.streak = None;
            self.open_lane(port, sender);
        }
    }

    /// Opens a lane, if nothing speaks against it, and puts into it what is in the port's queue. Each thread that sends by the port's name finds
    /// it.
    fn open_lane(&mut self, id: PortId, sender: &Sender) {
        let simple = |message: &Message| {
            matches!(message.destination, Right::Send(_))
                && message.reply == Carried::Null
                && !message.complex
                && message.items.is_empty()
                && message.credit.is_none()
                && message.sender == *sender
                && message.bytes.len() <= LARGEST
        };
        let port = self.port(id);
        let (Some(name), Home::Space) = (port.name, port.home) else { return };
        let watched = port.sets.is_empty()
            && port.arriving.is_none()
            && port.port_destroyed.is_none()
            && port.blocked_senders.is_empty()
            && !port.tells
            && !self.has_readiness();
        let bytes: usize = port.queue.iter().map(|message| place_of(HEAD + message.bytes.len())).sum();
        let fits = bytes <= CAPACITY as usize / 2 && port.queue.iter().all(simple);
        if !watched || !fits || self.links.poller.is_none() || self.lanes.open.len() == OPEN_MAX {
            return;
        }
        let limit = port.queue_limit;
        let Some((lane, ring)) = self.lanes.closed.pop().or_else(new_lane) else { return };
        let mut queue = core::mem::take(&mut self.port_mut(id).queue);
        let mut sending = lane.sending.lock();
        lane.received.0.store(0, Ordering::Relaxed);
        (sending.name, sending.limit, sending.sent, sending.received) = (name, limit, 0, 0);
        for message in queue.drain(..) {
            // It fits: the ring was empty.
            sending.push(message.id, message.voucher, &message.bytes);
            recycle::give(message.bytes);
            self.release(message.destination);
        }
        sending.ring.publish_unheard();
        drop(sending);
        // It keeps its memory, for when the lane is closed.
        self.port_mut(id).queue = queue;
        self.lanes.open.push(Open {
            port: id,
            lane,
            ring,
            limit,
            taken: 0,
            told: 0,
            streak: 0,
            gaps: 0,
            sender: *sender,
        });
        self.links.changed = true;
    }

    /// Closes all lanes: what is in them goes into the queues.
    #[inline]
    pub(super) fn close_lanes(&mut self) {
        if !self.lanes.open.is_empty() {
            self.close_open_lanes();
        }
    }

    #[cold]
    fn close_open_lanes(&mut self) {
        while let Some(Open { port, lane, mut ring, sender, .. }) = self.lanes.open.pop() {
            lane.sending.lock().name = MACH_PORT_NULL;
            while ring.holds(HEAD as u32) == Ok(true) {
                let [len, id, voucher, _] = read_head(&ring);
                ring.skip(HEAD as u32);
                let mut bytes = recycle::take();
                bytes.resize(len as usize, 0);
                ring.read(&mut bytes);
                ring.end_frame();
                let message = Message {
                    destination: self.copy_send(port),
                    reply: Carried::Null,
                    reply_disposition: 0,
                    voucher,
                    id: id as i32,
                    complex: false,
                    items: Vec::new(),
                    bytes,
                    sender,
                    credit: None,
                    incomplete: false,
                    _charge: None,
                };
                self.deliver(port, message);
            }
            ring.advance();
            if self.lanes.closed.len() < KEPT {
                self.lanes.closed.push((lane, ring));
            }
        }
        self.links.changed = true;
    }

    /// Takes the next message for `port` out of its lane into a receiver's buffer, or with `row` those that are there, as a row.
    #[inline]
    pub(super) fn receive_from_lane(
        &mut self,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
        row: bool,
    ) -> Short {
        let Some(open) = self.lanes.open.iter_mut().find(|open| open.port == port) else {
            return Short::Nothing;
        };
        let Some(state) = self.ports.get_mut(port.0) else { return Short::General };
        let name = state.name.unwrap_or(MACH_PORT_NULL);
        let (room_for_trailer, most) =
            (trailer_size(option), if row { ROW_MAX.min(room.len()) } else { room.len() });
        let (mut at, mut end, mut count) = (0, 0, 0);
        if open.ring.known() < HEAD as u32 {
            // One look in two at most: others' messages that come meanwhile keep nobody from this lane's.
            open.gaps = spin::gaps(core::mem::take(&mut open.streak), open.limit);
            if open.gaps > 0 || open.ring.holds(HEAD as u32) != Ok(true) {
                return Short::Nothing;
            }
        }
        // What has come by now, and not what comes meanwhile: a look at the writer's cache line for each message would hold both sides up.
        while count < if row { TAKEN_MAX } else { 1 } && open.ring.known() >= HEAD as u32 {
            let [len, id, voucher, _] = read_head(&open.ring);
            let last = at + MESSAGE_HEADER + len as usize;
            // What is behind a row is known to be writable; one message needs no more than its own.
            let alone = count == 0 && memory::is_known_writable(room.address(), last + room_for_trailer);
            if last + room_for_trailer > most || !(alone || is_writable(room, last)) {
                break;
            }
            open.ring.take_frame(HEAD, room, at + MESSAGE_HEADER, len as usize);
            open.ring.prefetch_ahead(AHEAD, HEAD as u32 + len);
            write_header(room, at, (last - at) as u32, name, voucher, id as i32);
            (at, end, count) = (last.next_multiple_of(ROW_ALIGN as usize), last, count + 1);
        }
        if count == 0 {
            return Short::General;
        }
        let sequence = state.sequence;
        state.sequence = sequence.wrapping_add(count);
        write_trailer(room, end, option, sequence, &open.sender, state.context);
        open.ring.advance_rarely();
        open.taken = open.taken.wrapping_add(count);
        open.streak = open.streak.saturating_add(count);
        // A sender without room waits for it; one that is never told has room again before it finds none.
        if open.taken.wrapping_sub(open.told) >= (open.limit / 8).max(1) {
            open.told = open.taken;
            open.lane.received.0.store(open.taken, Ordering::Release);
            open.ring.tell_processor();
        }
        Short::Taken { end }
    }
}

fn new_lane() -> Option<(Arc<Lane>, Consumer)> {
    let (mut producer, consumer) = create_within().ok()?;
    producer.claim_ahead(AHEAD);
    let sending = Sending { name: MACH_PORT_NULL, ring: producer, limit: 0, sent: 0, received: 0 };
    let sending = BiasedMutex::new(sending);
    // Where they are not allowed to yet they will be (`Lanes::allow_owners`).
    if barrier::has_joined() {
        sending.allow_owners();
    }
    Some((Arc::new(Lane { sending, received: Received(AtomicU32::new(0)) }), consumer))
}

fn read_head(ring: &Consumer) -> [u32; HEAD / 4] {
    let [front, rest] = ring.peek_words();
    let ([len, id], [voucher, zero]) = (halves(front), halves(rest));
    [len, id, voucher, zero]
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::task::{BOOTSTRAP, TASK_SELF, awaited, task};
    use super::super::wait::Awaited;
    use super::*;
    use crate::mach::{
        MACH_MSG_SUCCESS, MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND, MACH_MSGH_BITS, MACH_RCV_MSG,
        MACH_RCV_TIMEOUT, MACH_SEND_MSG, MACH_SEND_TIMEOUT, bootstrap_check_in, mach_msg,
        mach_port_insert_right,
    };

    /// A message of a number, with room for its trailer.
    #[repr(C)]
    struct Numbered {
        header: mach_msg_header_t,
        number: [u32; 2],
        trailer: [u32; 2],
    }

    fn numbered(to: u32, number: u32) -> Numbered {
        let header = mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
            msgh_size: 32,
            msgh_remote_port: to,
            msgh_local_port: MACH_PORT_NULL,
            msgh_voucher_port: MACH_PORT_NULL,
            msgh_id: 7,
        };
        Numbered { header, number: [number; 2], trailer: [0; 2] }
    }

    fn send(to: u32, number: u32) {
        let (mut message, option) = (numbered(to, number), MACH_SEND_MSG | MACH_SEND_TIMEOUT);
        // SAFETY: the message is readable and writable, and longer than its size says.
        let code =
            unsafe { mach_msg(&raw mut message.header, option, 32, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) };
        assert_eq!(code, MACH_MSG_SUCCESS);
    }

    /// Into a buffer that stays: a new one is looked at on the general way.
    fn receive_into(message: &mut Numbered, from: u32) -> u32 {
        let option = MACH_RCV_MSG | MACH_RCV_TIMEOUT;
        let limit = size_of::<Numbered>() as u32;
        // SAFETY: the message is writable, all of it.
        let code = unsafe { mach_msg(&raw mut message.header, option, 0, limit, from, 0, MACH_PORT_NULL) };
        assert_eq!((code, message.header.msgh_size, message.header.msgh_id), (MACH_MSG_SUCCESS, 32, 7));
        message.number[1]
    }

    /// In a process of its own: where other threads wait, as those of other tests do, there are no lanes.
    #[test]
    fn many_messages_open_a_lane_and_any_other_call_closes_it() {
        const ALONE: &str = "MACHIPC_TEST_LANE";
        if std::env::var_os(ALONE).is_none() {
            let this = "mach::imp::lane::tests::many_messages_open_a_lane_and_any_other_call_closes_it";
            let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
            let output = alone.args([this, "--exact"]).env(ALONE, "1").output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
            return;
        }
        let (name, mut port) = (format!("machipc.test.lane.{}\0", std::process::id()), 0);
        // SAFETY: the name ends with a zero, and `port` is valid for a write. A name makes the process one that polls.
        let code = unsafe { bootstrap_check_in(BOOTSTRAP, name.as_ptr().cast(), &raw mut port) };
        assert_eq!(code, MACH_MSG_SUCCESS);
        assert_eq!(mach_port_insert_right(TASK_SELF, port, port, MACH_MSG_TYPE_MAKE_SEND), MACH_MSG_SUCCESS);
        let queued = || {
            task().with(|kernel| {
                let Some(Awaited::Port(port)) = awaited(kernel, port) else { panic!("no port") };
                kernel.port_mut(port).queue_limit = 1024;
                kernel.port(port).queue.len()
            })
        };
        let mut buffer = numbered(0, 0);
        let mut receive = |from| receive_into(&mut buffer, from);
        let is_open = || task().with_lanes(|kernel| kernel.lane_to(port).is_some());
        assert_eq!(queued(), 0);
        let count = OPENED_AFTER + 10;
        // The janitor closes lanes, too, now and then; and the first receive finds out whether memory can be written, on the general way.
        let mut stays_open = || {
            (0..count).for_each(|number| send(port, number));
            let opened = is_open();
            (0..count).for_each(|number| assert_eq!(receive(port), number));
            // A receive that does not wait takes what has come since then, too, where one that waits would leave a gap first.
            send(port, count);
            assert_eq!(receive(port), count);
            opened && is_open()
        };
        assert!((0..1000).any(|_| stays_open()));
        (0..10).for_each(|number| send(port, number));
        assert_eq!(queued(), 10);
        assert!(!is_open());
        (0..10).for_each(|number| assert_eq!(receive(port), number));
    }
}
