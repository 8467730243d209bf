//! A right that a parent hands to one child: over a bootstrap name that only the child is told, between two processes that know each other
//! by the kernel's word.
//!
//! The parent takes a name of 128 random bits and answers there, once, a process that is its child. Whoever else has learned the name gets
//! no answer. The child believes only its parent. All of it is calls of the seam, so that it is tested on other systems too.

use core::ffi::{CStr, c_int};
use std::ffi::CString;
use std::io::Read;
use std::os::unix::process::parent_id;

use crate::mach::*;

/// How long the parent may take to answer, in milliseconds.
const ANSWER: mach_msg_timeout_t = 10_000;
/// How often a parent that waits for its child looks whether the right is still worth something, in milliseconds.
const LOOK_AGAIN: mach_msg_timeout_t = 1000;
/// The child's question and the parent's answer.
const ASK_ID: mach_msg_id_t = 0x6d70_0001;
const GIVE_ID: mach_msg_id_t = 0x6d70_0002;

const RECEIVE: mach_msg_option_t = MACH_RCV_MSG | MACH_RCV_TIMEOUT | (MACH_RCV_TRAILER_AUDIT << 24);

/// A message without a body, with its trailer. A larger one does not fit, and the kernel destroys it.
#[repr(C)]
#[derive(Default)]
struct Question {
    header: mach_msg_header_t,
    trailer: mach_msg_audit_trailer_t,
}

/// A message that carries a right, with its trailer.
#[repr(C)]
#[derive(Default)]
struct Answer {
    header: mach_msg_header_t,
    body: mach_msg_body_t,
    right: mach_msg_port_descriptor_t,
    trailer: mach_msg_audit_trailer_t,
}

const QUESTION: mach_msg_size_t = size_of::<mach_msg_header_t>() as mach_msg_size_t;
const ANSWER_SIZE: mach_msg_size_t =
    QUESTION + (size_of::<mach_msg_body_t>() + size_of::<mach_msg_port_descriptor_t>()) as mach_msg_size_t;

pub(in crate::mach) unsafe fn inheritance_offer(
    port: mach_port_name_t,
    offer: *mut inheritance_t,
) -> kern_return_t {
    let mut random = [0; 16];
    if std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).is_err() {
        return KERN_RESOURCE_SHORTAGE;
    }
    let text = format!("{}.{:032x}", std::process::id(), u128::from_ne_bytes(random));
    let Some(name) = name_of(&text) else { return KERN_RESOURCE_SHORTAGE };
    let task = mach_task_self();
    // Its own reference, until it is answered with.
    if mach_port_mod_refs(task, port, MACH_PORT_RIGHT_SEND, 1) != KERN_SUCCESS {
        return KERN_INVALID_RIGHT;
    }
    let mut rendezvous = MACH_PORT_NULL;
    // SAFETY: a C string of less than 127 bytes; `rendezvous` is valid for one write.
    let code = unsafe { bootstrap_check_in(bootstrap_port(), name.as_ptr(), &mut rendezvous) };
    if code != BOOTSTRAP_SUCCESS {
        mach_port_deallocate(task, port);
        return KERN_RESOURCE_SHORTAGE;
    }
    let answering = std::thread::Builder::new().name("machipc-child".into()).spawn(move || {
        answer_child(rendezvous, port);
        mach_port_mod_refs(task, rendezvous, MACH_PORT_RIGHT_RECEIVE, -1);
        mach_port_deallocate(task, port);
    });
    if answering.is_err() {
        mach_port_mod_refs(task, rendezvous, MACH_PORT_RIGHT_RECEIVE, -1);
        mach_port_deallocate(task, port);
        return KERN_RESOURCE_SHORTAGE;
    }
    // SAFETY: valid for one write by the caller's word.
    unsafe { offer.write(inheritance_t::new(&text)) };
    KERN_SUCCESS
}

/// A child inherits its environment, and needs nothing else.
pub(in crate::mach) fn inheritance_keep(_: &inheritance_t) -> c_int {
    0
}

/// The thread that answers ends by itself: with the answer, or with the port.
pub(in crate::mach) fn inheritance_withdraw(_: &inheritance_t) {}

pub(in crate::mach) unsafe fn inheritance_accept(
    text: *const core::ffi::c_char,
    port: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: a C string by the caller's word.
    let text = unsafe { CStr::from_ptr(text) }.to_str().unwrap_or_default();
    let Some((parent, name)) =
        text.split_once('.').and_then(|(parent, _)| Some((parent.parse().ok()?, name_of(text)?)))
    else {
        return KERN_INVALID_ARGUMENT;
    };
    // Of a parent that has died nobody can be told from an impostor.
    if parent_id() != parent {
        return BOOTSTRAP_UNKNOWN_SERVICE;
    }
    match ask(&name, parent) {
        Ok(right) => {
            // SAFETY: valid for one write by the caller's word.
            unsafe { port.write(right) };
            KERN_SUCCESS
        }
        Err(code) => code,
    }
}

/// Waits for the child, and gives it the right.
fn answer_child(rendezvous: mach_port_name_t, port: mach_port_name_t) {
    loop {
        let mut question = Question::default();
        let size = size_of::<Question>() as mach_msg_size_t;
        let header = &raw mut question.header;
        // SAFETY: the whole of `question` is writable, and aligned; nothing is sent.
        let code =
            unsafe { mach_msg(header.cast(), RECEIVE, 0, size, rendezvous, LOOK_AGAIN, MACH_PORT_NULL) };
        match code {
            MACH_MSG_SUCCESS => {}
            MACH_RCV_TOO_LARGE => continue,
            MACH_RCV_TIMED_OUT if is_alive(port) => continue,
            _ => return,
        }
        let reply = question.header.msgh_remote_port;
        let once = MACH_MSGH_BITS_REMOTE(question.header.msgh_bits) == MACH_MSG_TYPE_MOVE_SEND_ONCE;
        if once
            && question.header.msgh_id == ASK_ID
            && is_child(process(&question.trailer))
            && give(port, reply)
        {
            return;
        }
        mach_port_deallocate(mach_task_self(), reply);
    }
}

/// Sends a copy of the right to the child, and so uses the right to answer up. False: the answer did not leave.
fn give(port: mach_port_name_t, reply: mach_port_name_t) -> bool {
    let mut answer = Answer {
        header: mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0) | MACH_MSGH_BITS_COMPLEX,
            msgh_size: ANSWER_SIZE,
            msgh_remote_port: reply,
            msgh_id: GIVE_ID,
            ..Default::default()
        },
        body: mach_msg_body_t { msgh_descriptor_count: 1 },
        right: mach_msg_port_descriptor_t {
            name: port,
            disposition: MACH_MSG_TYPE_COPY_SEND as u8,
            r#type: MACH_MSG_PORT_DESCRIPTOR,
            ..Default::default()
        },
        ..Default::default()
    };
    let message = &raw mut answer;
    // SAFETY: the message is whole, of `ANSWER_SIZE` bytes and aligned, and names no memory.
    let code =
        unsafe { mach_msg(message.cast(), MACH_SEND_MSG, ANSWER_SIZE, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) };
    code == MACH_MSG_SUCCESS
}

/// Asks for the right at this name.
fn ask(name: &CStr, parent: u32) -> Result<mach_port_name_t, kern_return_t> {
    let task = mach_task_self();
    let (mut there, mut here) = (MACH_PORT_NULL, MACH_PORT_NULL);
    // SAFETY: a C string of less than 127 bytes; `there` is valid for one write.
    let code = unsafe { bootstrap_look_up(bootstrap_port(), name.as_ptr(), &mut there) };
    if code != BOOTSTRAP_SUCCESS {
        return Err(BOOTSTRAP_UNKNOWN_SERVICE);
    }
    // SAFETY: `here` is valid for one write.
    let code = unsafe { mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &mut here) };
    let answer =
        if code == KERN_SUCCESS { exchange(there, here, parent) } else { Err(KERN_RESOURCE_SHORTAGE) };
    mach_port_mod_refs(task, here, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_port_deallocate(task, there);
    answer
}

/// Sends the question and receives the answer.
fn exchange(
    there: mach_port_name_t,
    here: mach_port_name_t,
    parent: u32,
) -> Result<mach_port_name_t, kern_return_t> {
    let mut answer = Answer {
        header: mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
            msgh_size: QUESTION,
            msgh_remote_port: there,
            msgh_local_port: here,
            msgh_id: ASK_ID,
            ..Default::default()
        },
        ..Default::default()
    };
    let size = size_of::<Answer>() as mach_msg_size_t;
    let option = RECEIVE | MACH_SEND_MSG | MACH_SEND_TIMEOUT;
    let message = &raw mut answer;
    // SAFETY: the header alone is sent; the whole of `answer` is writable, and aligned.
    let code = unsafe { mach_msg(message.cast(), option, QUESTION, size, here, ANSWER, MACH_PORT_NULL) };
    if code & !MACH_MSG_MASK == MACH_SEND_TIMED_OUT {
        // The question has come back, with a right to its destination and the one to answer it.
        mach_port_deallocate(mach_task_self(), answer.header.msgh_remote_port);
        mach_port_deallocate(mach_task_self(), answer.header.msgh_local_port);
    }
    if code != MACH_MSG_SUCCESS {
        return Err(BOOTSTRAP_UNKNOWN_SERVICE);
    }
    let is_right = answer.header.msgh_bits & MACH_MSGH_BITS_COMPLEX != 0
        && answer.header.msgh_size == ANSWER_SIZE
        && answer.body.msgh_descriptor_count == 1
        && answer.right.r#type == MACH_MSG_PORT_DESCRIPTOR;
    if !is_right {
        // The right to answer was dropped: the parent has gone.
        return Err(BOOTSTRAP_UNKNOWN_SERVICE);
    }
    let is_send = u32::from(answer.right.disposition) == MACH_MSG_TYPE_MOVE_SEND;
    if is_send && process(&answer.trailer) == parent {
        return Ok(answer.right.name);
    }
    // An impostor's.
    let right = if u32::from(answer.right.disposition) == MACH_MSG_TYPE_MOVE_RECEIVE {
        mach_port_mod_refs(mach_task_self(), answer.right.name, MACH_PORT_RIGHT_RECEIVE, -1)
    } else {
        mach_port_deallocate(mach_task_self(), answer.right.name)
    };
    let _ = right;
    Err(BOOTSTRAP_UNKNOWN_SERVICE)
}

/// The bootstrap name for an offer with this text. `None`: that is no such text.
fn name_of(text: &str) -> Option<CString> {
    let (_, secret) = text.split_once('.')?;
    let fit = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    fit.then(|| CString::new(format!("machipc.child.{secret}")).ok()).flatten()
}

/// The process that sent a message, as the kernel says.
fn process(trailer: &mach_msg_audit_trailer_t) -> u32 {
    trailer.msgh_audit.val[5]
}

fn is_alive(port: mach_port_name_t) -> bool {
    let mut kind = 0;
    // SAFETY: `kind` is valid for one write.
    let code = unsafe { mach_port_type(mach_task_self(), port, &mut kind) };
    code == KERN_SUCCESS && kind & MACH_PORT_TYPE_SEND != 0
}

/// Whether a process is a child of this one. It is asked whether it could be waited for.
fn is_child(process: u32) -> bool {
    /// `P_PID` of `<sys/wait.h>`.
    const BY_ID: c_int = 1;
    /// `WNOHANG | WEXITED | WNOWAIT`.
    const LOOK: c_int =
        if cfg!(target_vendor = "apple") { 0x01 | 0x04 | 0x20 } else { 0x01 | 0x04 | 0x0100_0000 };
    // SAFETY: the signature is POSIX's; the structure behind the pointer is larger than either system's.
    unsafe extern "C" {
        fn waitid(idtype: c_int, id: u32, information: *mut [u64; 32], options: c_int) -> c_int;
    }
    let mut information = [0; 32];
    // SAFETY: a `siginfo_t` has at most 128 bytes and is aligned to 8.
    unsafe { waitid(BY_ID, process, &mut information, LOOK) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const TEXT: &str = "MACHIPC_TEST_OFFER";

    /// A port with a send right under the same name.
    fn port() -> mach_port_name_t {
        let mut port = MACH_PORT_NULL;
        let task = mach_task_self();
        // SAFETY: `port` is valid for one write.
        assert_eq!(unsafe { mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &mut port) }, KERN_SUCCESS);
        assert_eq!(mach_port_insert_right(task, port, port, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
        port
    }

    fn accept(text: &CStr) -> Result<mach_port_name_t, kern_return_t> {
        let mut port = MACH_PORT_NULL;
        // SAFETY: a C string; `port` is valid for one write.
        match unsafe { inheritance_accept(text.as_ptr(), &mut port) } {
            KERN_SUCCESS => Ok(port),
            code => Err(code),
        }
    }

    #[test]
    fn child() {
        let Ok(text) = std::env::var(TEXT) else { return };
        let text = CString::new(text).unwrap();
        let port = accept(&text).unwrap();
        let mut message = mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
            msgh_size: QUESTION,
            msgh_remote_port: port,
            msgh_id: 4711,
            ..Default::default()
        };
        // SAFETY: the message is readable for its 24 bytes and has no descriptors.
        let code = unsafe { mach_msg(&mut message, MACH_SEND_MSG, QUESTION, 0, 0, 0, 0) };
        assert_eq!(code, MACH_MSG_SUCCESS);
        // The name has been given up.
        assert_eq!(accept(&text), Err(BOOTSTRAP_UNKNOWN_SERVICE));
    }

    #[test]
    fn a_child_gets_what_nobody_else_gets() {
        let port = port();
        let mut offer = inheritance_t::default();
        // SAFETY: `offer` is valid for one write.
        assert_eq!(unsafe { inheritance_offer(port, &mut offer) }, KERN_SUCCESS);
        assert_eq!(inheritance_keep(&offer), 0);
        inheritance_withdraw(&offer);
        let text = CStr::from_bytes_until_nul(&offer.text).unwrap();
        // This process is not its own child, nor its own parent.
        assert_eq!(accept(text), Err(BOOTSTRAP_UNKNOWN_SERVICE));
        let name = name_of(text.to_str().unwrap()).unwrap();
        assert_eq!(ask(&name, std::process::id()), Err(BOOTSTRAP_UNKNOWN_SERVICE));

        let test = format!("{}::child", module_path!().split_once("::").unwrap().1);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test.as_str(), "--exact"]).env(TEXT, text.to_str().unwrap());
        assert!(command.status().unwrap().success());
        let mut message = Question::default();
        let size = size_of::<Question>() as mach_msg_size_t;
        let header = &raw mut message;
        // SAFETY: the whole of `message` is writable, and aligned; nothing is sent.
        let code = unsafe { mach_msg(header.cast(), RECEIVE, 0, size, port, 60_000, 0) };
        assert_eq!((code, message.header.msgh_id), (MACH_MSG_SUCCESS, 4711));
        assert_eq!(mach_port_destruct(mach_task_self(), port, -1, 0), KERN_SUCCESS);
    }

    #[test]
    fn texts_that_are_none_are_refused() {
        for bad in [
            c"",
            c"7",
            c"x.0123456789abcdef0123456789abcdef",
            c"7.0123",
            c"7.0123456789abcdef0123456789abcdeg",
        ] {
            assert_eq!(accept(bad), Err(KERN_INVALID_ARGUMENT), "{bad:?}");
        }
        assert_eq!(accept(c"0.0123456789abcdef0123456789abcdef"), Err(BOOTSTRAP_UNKNOWN_SERVICE));
    }
}
