//! The port calls on this task, as safe functions: code first, then what was stored.

use super::{Outcome, Region};
use machipc::mach::*;

pub type Name = mach_port_name_t;

// ---- Rights made for a rule.

/// A new receive right.
pub fn port() -> Outcome<Name> {
    let (code, name) = allocate(MACH_PORT_RIGHT_RECEIVE);
    expect_code!(code, KERN_SUCCESS);
    Ok(name)
}

/// A new receive right with `urefs` send references under the same name.
pub fn port_with_send(urefs: u32) -> Outcome<Name> {
    let name = port()?;
    for _ in 0..urefs {
        expect_code!(insert_right(name, name, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
    }
    Ok(name)
}

/// A new port set.
pub fn port_set() -> Outcome<Name> {
    let (code, name) = allocate(MACH_PORT_RIGHT_PORT_SET);
    expect_code!(code, KERN_SUCCESS);
    Ok(name)
}

/// A send-once right to `port`, under its own name.
pub fn send_once(port: Name) -> Outcome<Name> {
    let (code, name, disposition) = extract_right(port, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("extracted disposition", disposition, MACH_MSG_TYPE_MOVE_SEND_ONCE);
    Ok(name)
}

/// A name that denotes nothing: it was a port's and is freed.
pub fn unknown_name() -> Outcome<Name> {
    let name = port()?;
    release(&[name])?;
    Ok(name)
}

/// A dead name with `urefs` references: the send rights of a port that died here.
pub fn dead_name(urefs: u32) -> Outcome<Name> {
    let name = port_with_send(urefs)?;
    expect_code!(mod_refs(name, MACH_PORT_RIGHT_RECEIVE, -1), KERN_SUCCESS);
    expect_eq!("type of a dead name", kind(name)?, MACH_PORT_TYPE_DEAD_NAME);
    Ok(name)
}

/// A port of which this task holds only send rights: its receive right waits in a message on `keeper`.
pub struct SendOnly {
    /// The send rights.
    pub name: Name,
    /// The port whose queue holds the receive right.
    pub keeper: Name,
}

/// A name with `urefs` send references and no receive right.
pub fn send_only(urefs: u32) -> Outcome<SendOnly> {
    let name = port_with_send(urefs)?;
    let keeper = port()?;
    keep(name, keeper)?;
    expect_eq!("type of a send right", kind(name)?, MACH_PORT_TYPE_SEND);
    Ok(SendOnly { name, keeper })
}

/// Sends the receive right of `name` to `keeper`, where it stays queued.
pub fn keep(name: Name, keeper: Name) -> Outcome {
    let parcel = super::Message::to(keeper, MACH_MSG_TYPE_MAKE_SEND).right(name, MACH_MSG_TYPE_MOVE_RECEIVE);
    expect_code!(parcel.send(), MACH_MSG_SUCCESS);
    Ok(())
}

impl SendOnly {
    /// Destroys the port. The name is not looked at, so its death stays unobserved.
    pub fn kill(&self) -> Outcome {
        release(&[self.keeper])
    }

    /// Takes the receive right back from the keeper. Returns its name.
    pub fn recover(&self) -> Outcome<Name> {
        let parcel = super::receive(self.keeper)?;
        expect_eq!("descriptors of the parcel", parcel.descriptors.len(), 1);
        Ok(parcel.descriptors[0].name)
    }

    /// Drops the port and the name.
    pub fn release(self) -> Outcome {
        release(&[self.keeper, self.name])
    }
}

/// Destroys all that each name denotes.
pub fn release(names: &[Name]) -> Outcome {
    for &name in names {
        expect_code!(destroy(name), KERN_SUCCESS);
    }
    Ok(())
}

// ---- Questions.

/// What a name denotes. Fails when it denotes nothing.
pub fn kind(name: Name) -> Outcome<mach_port_type_t> {
    let (code, kind) = port_type(name);
    expect_code!(code, KERN_SUCCESS);
    Ok(kind)
}

/// Demands that a name denotes nothing any more.
pub fn expect_freed(name: Name) -> Outcome {
    expect_code!(port_type(name).0, KERN_INVALID_NAME);
    Ok(())
}

/// References of one right of a name.
pub fn refs(name: Name, right: mach_port_right_t) -> Outcome<u32> {
    let (code, refs) = get_refs(name, right);
    expect_code!(code, KERN_SUCCESS);
    Ok(refs)
}

/// Send references of a name.
pub fn send_refs(name: Name) -> Outcome<u32> {
    refs(name, MACH_PORT_RIGHT_SEND)
}

/// Status of a receive right.
pub fn status(name: Name) -> Outcome<mach_port_status_t> {
    let (code, status) = get_status(name);
    expect_code!(code, KERN_SUCCESS);
    Ok(status)
}

/// Every name of the task with its type.
pub fn names() -> Outcome<Vec<(Name, mach_port_type_t)>> {
    let mut names = std::ptr::null_mut();
    let mut types = std::ptr::null_mut();
    let (mut names_count, mut types_count) = (0, 0);
    let task = mach_task_self();
    // SAFETY: the four pointers are of live locals.
    let code = unsafe { mach_port_names(task, &mut names, &mut names_count, &mut types, &mut types_count) };
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("count of types", types_count, names_count);
    let names = Region::received(names as u64, names_count * 4).into_words()?;
    let types = Region::received(types as u64, types_count * 4).into_words()?;
    Ok(names.into_iter().zip(types).collect())
}

/// Members of a port set.
pub fn members(set: Name) -> Outcome<Vec<Name>> {
    let mut members = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: both pointers are of live locals.
    let code = unsafe { mach_port_get_set_status(mach_task_self(), set, &mut members, &mut count) };
    expect_code!(code, KERN_SUCCESS);
    Region::received(members as u64, count * 4).into_words()
}

// ---- Calls.

pub fn allocate(right: mach_port_right_t) -> (kern_return_t, Name) {
    let mut name = MACH_PORT_NULL;
    // SAFETY: `name` is a live local.
    let code = unsafe { mach_port_allocate(mach_task_self(), right, &mut name) };
    (code, name)
}

pub fn construct(flags: u32, qlimit: u32, context: mach_port_context_t) -> (kern_return_t, Name) {
    let options =
        mach_port_options_t { flags, mpl: mach_port_limits_t { mpl_qlimit: qlimit }, reserved: [0; 2] };
    let mut name = MACH_PORT_NULL;
    // SAFETY: both pointers are of live locals.
    let code = unsafe { mach_port_construct(mach_task_self(), &options, context, &mut name) };
    (code, name)
}

pub fn destruct(name: Name, srdelta: mach_port_delta_t, guard: mach_port_context_t) -> kern_return_t {
    mach_port_destruct(mach_task_self(), name, srdelta, guard)
}

pub fn destroy(name: Name) -> kern_return_t {
    mach_port_destroy(mach_task_self(), name)
}

pub fn deallocate(name: Name) -> kern_return_t {
    mach_port_deallocate(mach_task_self(), name)
}

pub fn mod_refs(name: Name, right: mach_port_right_t, delta: mach_port_delta_t) -> kern_return_t {
    mach_port_mod_refs(mach_task_self(), name, right, delta)
}

pub fn insert_right(name: Name, right: Name, disposition: mach_msg_type_name_t) -> kern_return_t {
    mach_port_insert_right(mach_task_self(), name, right, disposition)
}

pub fn extract_right(
    name: Name,
    disposition: mach_msg_type_name_t,
) -> (kern_return_t, Name, mach_msg_type_name_t) {
    let (mut right, mut acquired) = (MACH_PORT_NULL, 0);
    // SAFETY: both pointers are of live locals.
    let code =
        unsafe { mach_port_extract_right(mach_task_self(), name, disposition, &mut right, &mut acquired) };
    (code, right, acquired)
}

pub fn port_type(name: Name) -> (kern_return_t, mach_port_type_t) {
    let mut kind = 0;
    // SAFETY: `kind` is a live local.
    let code = unsafe { mach_port_type(mach_task_self(), name, &mut kind) };
    (code, kind)
}

pub fn get_refs(name: Name, right: mach_port_right_t) -> (kern_return_t, u32) {
    let mut refs = 0xdead;
    // SAFETY: `refs` is a live local.
    let code = unsafe { mach_port_get_refs(mach_task_self(), name, right, &mut refs) };
    (code, refs)
}

pub fn get_status(name: Name) -> (kern_return_t, mach_port_status_t) {
    let mut status = mach_port_status_t::default();
    let mut count = MACH_PORT_RECEIVE_STATUS_COUNT;
    let info = (&raw mut status).cast();
    // SAFETY: `status` holds ten words, and `count` says so.
    let code = unsafe {
        mach_port_get_attributes(mach_task_self(), name, MACH_PORT_RECEIVE_STATUS, info, &mut count)
    };
    (code, status)
}

pub fn set_attributes(name: Name, flavor: mach_port_flavor_t, info: &[i32]) -> kern_return_t {
    // SAFETY: `info` holds as many words as are passed.
    unsafe { mach_port_set_attributes(mach_task_self(), name, flavor, info.as_ptr(), info.len() as u32) }
}

pub fn set_limit(name: Name, qlimit: u32) -> kern_return_t {
    set_attributes(name, MACH_PORT_LIMITS_INFO, &[qlimit as i32])
}

pub fn insert_member(name: Name, set: Name) -> kern_return_t {
    mach_port_insert_member(mach_task_self(), name, set)
}

pub fn extract_member(name: Name, set: Name) -> kern_return_t {
    mach_port_extract_member(mach_task_self(), name, set)
}

pub fn move_member(name: Name, set: Name) -> kern_return_t {
    mach_port_move_member(mach_task_self(), name, set)
}

pub fn request(
    name: Name,
    id: mach_msg_id_t,
    sync: mach_port_mscount_t,
    notify: Name,
    disposition: mach_msg_type_name_t,
) -> (kern_return_t, Name) {
    let mut previous = MACH_PORT_NULL;
    // SAFETY: `previous` is a live local.
    let code = unsafe {
        mach_port_request_notification(mach_task_self(), name, id, sync, notify, disposition, &mut previous)
    };
    (code, previous)
}

/// Arms a notification to `notify`, of which this task holds the receive right, where none was armed.
pub fn arm(name: Name, id: mach_msg_id_t, sync: mach_port_mscount_t, notify: Name) -> Outcome {
    let (code, previous) = request(name, id, sync, notify, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("previous request", previous, MACH_PORT_NULL);
    Ok(())
}

pub fn get_context(name: Name) -> (kern_return_t, mach_port_context_t) {
    let mut context = 0xdead;
    // SAFETY: `context` is a live local.
    let code = unsafe { mach_port_get_context(mach_task_self(), name, &mut context) };
    (code, context)
}

pub fn set_context(name: Name, context: mach_port_context_t) -> kern_return_t {
    mach_port_set_context(mach_task_self(), name, context)
}

pub fn guard(name: Name, guard: mach_port_context_t, strict: bool) -> kern_return_t {
    mach_port_guard(mach_task_self(), name, guard, strict.into())
}

pub fn unguard(name: Name, guard: mach_port_context_t) -> kern_return_t {
    mach_port_unguard(mach_task_self(), name, guard)
}

pub fn set_mscount(name: Name, mscount: mach_port_mscount_t) -> kern_return_t {
    mach_port_set_mscount(mach_task_self(), name, mscount)
}

pub fn set_seqno(name: Name, seqno: mach_port_seqno_t) -> kern_return_t {
    mach_port_set_seqno(mach_task_self(), name, seqno)
}

/// How many send rights to a port exist.
pub fn send_rights(name: Name) -> Outcome<u32> {
    let mut count = 0;
    // SAFETY: `count` is a live local.
    let code = unsafe { mach_port_get_srights(mach_task_self(), name, &mut count) };
    expect_code!(code, KERN_SUCCESS);
    Ok(count)
}

/// A service name as the bootstrap calls take it. The suite writes names without NUL bytes only.
fn c_name(service: &str) -> std::ffi::CString {
    std::ffi::CString::new(service).unwrap_or_default()
}

pub fn check_in(service: &str) -> (kern_return_t, Name) {
    let service = c_name(service);
    let mut name = MACH_PORT_NULL;
    // SAFETY: `service` is a C string of at most 127 bytes, `name` a live local.
    let code = unsafe { bootstrap_check_in(bootstrap_port(), service.as_ptr(), &mut name) };
    (code, name)
}

pub fn register(service: &str, right: Name) -> kern_return_t {
    let service = c_name(service);
    // SAFETY: `service` is a C string of at most 127 bytes.
    unsafe { bootstrap_register(bootstrap_port(), service.as_ptr(), right) }
}

pub fn look_up(service: &str) -> (kern_return_t, Name) {
    let service = c_name(service);
    let mut name = MACH_PORT_NULL;
    // SAFETY: `service` is a C string of at most 127 bytes, `name` a live local.
    let code = unsafe { bootstrap_look_up(bootstrap_port(), service.as_ptr(), &mut name) };
    (code, name)
}

pub fn makeport(fd: i32) -> (i32, Name) {
    let mut name = MACH_PORT_NULL;
    // SAFETY: `name` is a live local.
    let result = unsafe { fileport_makeport(fd, &mut name) };
    (result, name)
}

pub fn makefd(name: Name) -> i32 {
    fileport_makefd(name)
}
