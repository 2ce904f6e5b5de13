//! The firmware, its simulated hardware, and the queue in front of it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, Sender},
    },
};

use ctaphid_app::{App as _, Command};
use fido_authenticator::{Authenticator, Config, Conforming, FirmwareVersion};
use heapless_bytes::Bytes;
use littlefs2::{path, path::Path};
use rand_core::RngCore as _;
use trussed::{
    ClientImplementation, Service,
    backend::{BackendId, Dispatch},
    pipe::{ServiceEndpoint, TrussedChannel},
    platform::{Platform, Syscall},
    store::Store as _,
    types::CoreContext,
    virt::{self, StorageConfig, StoreConfig},
};
use trussed_core::InterruptFlag;
use trussed_staging::virt::{BackendIds, Dispatcher};

use crate::{
    attestation::Attestation,
    error::Error,
    fault::Fault,
    forgery::Forgery,
    hid::MAX_MESSAGE,
    touch::{Panel, Touch},
};

/// Channel id of nobody.
const IDLE: u32 = 0;

/// `CTAP1_ERR_INVALID_COMMAND`.
const INVALID_COMMAND: u8 = 0x01;

/// Tells the running firmware to stop; it wants a flag that lives as long as the program.
static INTERRUPT: InterruptFlag = InterruptFlag::new();

/// How the key is made.
pub struct FirmwareConfig {
    /// Without it the key attests itself.
    pub attestation: Option<Attestation>,
    /// Where the flash memory lives; absent: in RAM.
    pub state_file: Option<PathBuf>,
    /// How many resident credentials fit.
    pub max_resident: u32,
    /// How long the key blinks, in milliseconds.
    pub touch_timeout_ms: u32,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// What one client asks.
pub struct Request {
    channel: u32,
    command: Command,
    payload: Vec<u8>,
    answer: Sender<Vec<u8>>,
}

/// The clients' end of the queue.
pub struct Firmware {
    requests: Sender<Request>,
    touch: Arc<Touch>,
}

/// The channel whose request the firmware works on.
static WORKING_FOR: AtomicU32 = AtomicU32::new(IDLE);

impl Firmware {
    /// The queue: one end for the clients, one for [`serve`].
    #[must_use]
    pub fn new(touch: Arc<Touch>) -> (Self, Receiver<Request>) {
        let (requests, queue) = mpsc::channel();
        (Self { requests, touch }, queue)
    }

    /// Whether some client's request is being worked on.
    #[must_use]
    pub fn is_working(&self) -> bool {
        WORKING_FOR.load(Ordering::SeqCst) != IDLE
    }

    /// Whether the key blinks.
    #[must_use]
    pub fn needs_touch(&self) -> bool {
        self.touch.is_blinking()
    }

    /// Queues a request; the answer arrives on the channel, or the channel closes when the key stops.
    pub(crate) fn submit(&self, channel: u32, command: Command, payload: Vec<u8>) -> Receiver<Vec<u8>> {
        let (answer, answered) = mpsc::channel();
        let _ = self.requests.send(Request { channel, command, payload, answer });
        answered
    }

    /// Interrupts the request of this channel, and nobody else's.
    pub(crate) fn cancel(&self, channel: u32) {
        if WORKING_FOR.load(Ordering::SeqCst) == channel {
            INTERRUPT.interrupt();
        }
    }
}

/// Runs the firmware's service inside its own system calls: no second thread, no busy waiting.
struct InlineService<'a, P: Platform, D: Dispatch> {
    service: Service<P, D>,
    endpoints: [ServiceEndpoint<'a, D::BackendId, D::Context>; 1],
}

impl<P: Platform, D: Dispatch> Syscall for InlineService<'_, P, D> {
    fn syscall(&mut self) {
        self.service.process(&mut self.endpoints);
    }
}

/// Powers the firmware up, says so, and answers requests, one at a time, until nobody can ask any more.
///
/// # Errors
/// When the flash memory cannot be prepared.
pub fn serve(
    config: &FirmwareConfig,
    touch: &Arc<Touch>,
    requests: &Receiver<Request>,
    ready: impl FnOnce(),
) -> Result<(), Error> {
    let mut store = StoreConfig::ram();
    if let Some(file) = config.state_file.clone() {
        store.internal = StorageConfig::filesystem(file);
    }
    virt::with_platform(store, |mut platform| {
        platform.user_interface().set_inner(Box::new(Panel(Arc::clone(touch))));
        scramble(&mut platform)?;
        if let Some(attestation) = &config.attestation {
            install(&platform, attestation)?;
        }
        let store = platform.store();
        let forgery = Forgery { faults: &config.faults, flash: store.ifs() };
        let channel = TrussedChannel::new();
        let (requester, responder) = channel.split().ok_or(Error::Firmware)?;
        let context = CoreContext::with_interrupt(path!("fido").into(), Some(&INTERRUPT));
        let backends = &[BackendId::Custom(BackendIds::StagingBackend), BackendId::Core];
        let inline = InlineService {
            service: Service::with_dispatch(platform, Dispatcher::default()),
            endpoints: [ServiceEndpoint::new(responder, context, backends)],
        };
        let client = ClientImplementation::<_, Dispatcher>::new(requester, inline, Some(&INTERRUPT));
        let mut authenticator = Authenticator::new(client, Conforming {}, authenticator_config(config));
        ready();
        for request in requests {
            let mut answer = Bytes::<MAX_MESSAGE>::new();
            WORKING_FOR.store(request.channel, Ordering::SeqCst);
            INTERRUPT.set_working();
            let asked = forgery.request(&request.payload);
            let outcome = authenticator.call(request.command, &asked, answer.as_mut_view());
            INTERRUPT.set_idle();
            WORKING_FOR.store(IDLE, Ordering::SeqCst);
            touch.stop();
            let answered = outcome.map(|()| forgery.answer(&request.payload, answer.to_vec()));
            let _ = request.answer.send(answered.unwrap_or_else(|_| vec![INVALID_COMMAND]));
        }
        Ok(())
    })
}

fn authenticator_config(config: &FirmwareConfig) -> Config {
    Config {
        max_msg_size: MAX_MESSAGE,
        skip_up_timeout: None,
        max_resident_credential_count: Some(config.max_resident),
        large_blobs: None,
        nfc_transport: false,
        ccid_transport: false,
        firmware_version: Some(FirmwareVersion::new(0x0005_0701)),
        credential_id_version: None,
        long_touch_for_reset: false,
        fido2_up_timeout: Some(config.touch_timeout_ms),
    }
}

/// The simulated generator starts from a constant: without a random skip every key would make the same secrets.
fn scramble(platform: &mut virt::Platform<'_>) -> Result<(), Error> {
    let skip = getrandom::u32().map_err(Error::Random)? >> 8;
    platform.rng().fill_bytes(&mut vec![0; usize::try_from(skip).unwrap_or(0)]);
    Ok(())
}

fn install(platform: &virt::Platform<'_>, attestation: &Attestation) -> Result<(), Error> {
    let store = platform.store();
    let write = |what: &'static str, directory: &Path, file: &Path, bytes: &[u8]| {
        let failed = |error: littlefs2::io::Error| Error::Flash { what, reason: format!("{error:?}") };
        store.ifs().create_dir_all(directory).map_err(failed)?;
        store.ifs().write(file, bytes).map_err(failed)
    };
    write("the attestation certificate", path!("fido/x5c"), path!("fido/x5c/00"), &attestation.certificate)?;
    write("the attestation key", path!("fido/sec"), path!("fido/sec/00"), &attestation.key)
}
