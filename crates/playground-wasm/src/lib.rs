//! The playground behind a C-like interface: bytes in, bytes out. It knows nothing of what they mean.
//!
//! A caller asks for room ([`take`]), writes a message there, and hands it to [`open`] or [`call`], which free it. The answer's address and
//! length come back as one number, address in the upper half; [`free`] gives its memory back. After a panic the module traps, and [`trapped`]
//! says why; nothing else may be called then. A page has one thread per module, so the session is one per module too.

use std::cell::RefCell;
use std::panic::PanicHookInfo;

use playground::Session;

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
    static REASON: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Room for a message of `length` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn take(length: usize) -> *mut u8 {
    let room: Box<[u8]> = vec![0; length].into_boxed_slice();
    Box::into_raw(room).cast()
}

/// Gives back what was taken or answered.
///
/// # Safety
/// `address` and `length` are those of [`take`] or of an answer, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(address: *mut u8, length: usize) {
    // SAFETY: as this function asks for.
    drop(unsafe { message(address, length) });
}

/// Begins a session from a pack. The answer is what the scenario holds.
///
/// # Safety
/// As for [`free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(address: *mut u8, length: usize) -> u64 {
    std::panic::set_hook(Box::new(remember));
    // SAFETY: as this function asks for.
    let pack = unsafe { message(address, length) };
    let (session, answer) = Session::open(&pack);
    SESSION.set(session);
    handed(answer)
}

/// One question to the session.
///
/// # Safety
/// As for [`free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn call(address: *mut u8, length: usize) -> u64 {
    // SAFETY: as this function asks for.
    let question = unsafe { message(address, length) };
    let answer = SESSION.with_borrow_mut(|session| session.as_mut().map(|session| session.answer(&question)));
    handed(answer.unwrap_or_else(|| playground::refusal("no scenario is open")))
}

/// Why the module trapped.
#[unsafe(no_mangle)]
pub extern "C" fn trapped() -> u64 {
    handed(REASON.take().into_bytes())
}

fn remember(info: &PanicHookInfo<'_>) {
    REASON.set(info.to_string());
}

fn handed(answer: Vec<u8>) -> u64 {
    let answer = Box::leak(answer.into_boxed_slice());
    (answer.as_ptr() as u64) << 32 | answer.len() as u64
}

/// # Safety
/// As for [`free`].
unsafe fn message(address: *mut u8, length: usize) -> Box<[u8]> {
    // SAFETY: `take` and `handed` made it a boxed slice of this length.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(address, length)) }
}
