//! Buffers that know their element type, and reading them back with or without waiting.

use std::{
    future::poll_fn,
    marker::PhantomData,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytemuck::{AnyBitPattern, NoUninit};
use wgpu::util::StagingBelt;

use super::{Gpu, unpoisoned};
use crate::{Error, Result};

/// A belt whose chunks have room for so many bytes: rounded, since buffers have whole words.
pub(crate) fn staging_belt(gpu: &Gpu, bytes: usize) -> StagingBelt {
    StagingBelt::new(gpu.device().clone(), bytes.next_multiple_of(4) as u64)
}

/// `len` values of `T` in device memory.
#[derive(Debug)]
pub(crate) struct Buffer<T> {
    raw: wgpu::Buffer,
    len: usize,
    element: PhantomData<T>,
}

/// The same memory, whatever the values are.
impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), len: self.len, element: PhantomData }
    }
}

const USAGES: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST);

/// Offsets of copies must be multiples of this.
const FOUR: wgpu::BufferSize = wgpu::BufferSize::new(wgpu::COPY_BUFFER_ALIGNMENT).unwrap();

impl<T: NoUninit + AnyBitPattern> Buffer<T> {
    /// A buffer of zeros (WebGPU zeroes memory before its first use).
    pub fn zeros(gpu: &Gpu, label: &str, len: usize) -> Self {
        let size = Self::bytes(len);
        gpu.note(|so_far| so_far.bytes += size);
        let raw = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: USAGES,
            mapped_at_creation: false,
        });
        Self { raw, len, element: PhantomData }
    }

    /// Bytes that so many values take.
    pub fn bytes(len: usize) -> u64 {
        // Zero-sized bindings are invalid, and copies move multiples of four bytes.
        (len as u64).saturating_mul(size_of::<T>() as u64).clamp(4, !3).next_multiple_of(4)
    }

    /// A buffer holding `values`.
    pub fn from_slice(gpu: &Gpu, label: &str, values: &[T]) -> Self {
        let buffer = Self::zeros(gpu, label, values.len());
        buffer.write(gpu, values);
        buffer
    }

    /// A buffer holding one value, for a kernel's parameters.
    pub fn params(gpu: &Gpu, label: &str, value: &T) -> Self {
        Self::from_slice(gpu, label, std::slice::from_ref(value))
    }

    /// Replaces the first values. This takes effect before the next submission.
    pub fn write(&self, gpu: &Gpu, values: &[T]) {
        debug_assert!(values.len() <= self.len);
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let whole = bytes.len() & !3;
        gpu.queue().write_buffer(&self.raw, 0, &bytes[..whole]);
        if whole < bytes.len() {
            let mut last = [0; 4];
            last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
            gpu.queue().write_buffer(&self.raw, whole as u64, &last);
        }
    }

    /// Records that the first values are replaced: commands that follow in `encoder` see the new
    /// values, earlier commands do not. The belt must be finished before `encoder` is submitted.
    pub fn stage(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
        values: &[T],
    ) -> Result<()> {
        debug_assert!(values.len() <= self.len);
        let bytes: &[u8] = bytemuck::cast_slice(values);
        // Copies move multiples of four bytes, and buffers are rounded up to them.
        let Some(size) = wgpu::BufferSize::new((bytes.len() as u64).next_multiple_of(4)) else {
            return Ok(());
        };
        // Not `write_buffer`, which panics if the device was lost.
        let room = belt.allocate(size, FOUR);
        let mut mapped =
            room.get_mapped_range_mut().map_err(|e| Error::gpu("send a step's data", e))?;
        mapped.slice(..bytes.len()).copy_from_slice(bytes);
        encoder.copy_buffer_to_buffer(room.buffer(), room.offset(), &self.raw, 0, size.get());
        Ok(())
    }

    /// Records that all values become zero.
    pub fn clear(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.clear_buffer(&self.raw, 0, None);
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// As wgpu has it.
    pub fn raw(&self) -> &wgpu::Buffer {
        &self.raw
    }

    /// The whole buffer as a shader's binding.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        self.raw.as_entire_binding()
    }

    /// Waits for everything submitted so far, then returns the values.
    pub fn read_blocking(&self, gpu: &Gpu) -> Result<Vec<T>> {
        let mut readback = Readback::new(gpu, "read back", self.len);
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        readback.record(&mut encoder, self);
        let submission = gpu.queue().submit([encoder.finish()]);
        readback.take_blocking(gpu, submission)
    }

    /// Submits a copy of the values as submissions so far leave them; the future completes when the copy has arrived.
    pub fn read(&self, gpu: &Gpu) -> impl Future<Output = Result<Vec<T>>> + use<T> {
        let mut readback = Readback::new(gpu, "read back", self.len);
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        readback.record(&mut encoder, self);
        gpu.queue().submit([encoder.finish()]);
        async move { readback.arrived().await }
    }
}

/// Bytes of a tag.
const TAG: u64 = size_of::<u32>() as u64;
const REFUSED: &str = "wgpu refused the submission that was to compute them, and reported why to the device's error \
                       handler; what was computed since lacks its work";

/// A copy on its way to the host.
#[derive(Debug)]
pub(crate) struct Readback<T> {
    /// The values, and behind them the tag of their copy.
    raw: wgpu::Buffer,
    len: usize,
    tags: Tags,
    /// Which of the tags comes with the next copy.
    next: usize,
    arrival: Arc<Arrival>,
    element: PhantomData<T>,
}

/// The state of a copy, and who waits for it.
#[derive(Debug)]
struct Arrival {
    state: Mutex<(State, Option<Waker>)>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Idle,
    Requested,
    Ready,
    Failed,
    /// The encoder that held the copy is gone and was never submitted.
    Dropped,
    /// It was submitted, but wgpu refused the submission.
    Refused,
}

/// Numbers on the device that go with copies, each with another than the copy before. One that did not come was not
/// executed: wgpu maps the buffers of a refused submission as well, with what was in them.
#[derive(Debug, Clone)]
pub(super) struct Tags(wgpu::Buffer);

impl Tags {
    const COUNT: usize = 16;

    pub fn new(device: &wgpu::Device) -> Self {
        let raw = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("tags of copies"),
            size: (Self::COUNT * size_of::<u32>()) as u64,
            usage: wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        // New buffers hold zeros. This fails only on a lost device, on which nothing will run.
        if let Ok(mut mapped) = raw.get_mapped_range_mut(..) {
            let all: Vec<_> = (1..=Self::COUNT as u32).collect();
            mapped.slice(..).copy_from_slice(bytemuck::cast_slice(&all));
        }
        raw.unmap();
        Self(raw)
    }
}

impl Arrival {
    fn state(&self) -> State {
        unpoisoned(&self.state).0
    }

    fn set(&self, state: State) {
        let waiting = {
            let mut current = unpoisoned(&self.state);
            current.0 = state;
            current.1.take()
        };
        self.changed.notify_all();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// A waiting task is woken in any case.
#[derive(Debug)]
struct Notice(Option<Arc<Arrival>>);

impl Notice {
    /// Once this is noticed, another thread may request the next copy, so nothing more may be reported about this one.
    fn is(mut self, state: State) {
        if let Some(arrival) = self.0.take() {
            arrival.set(state);
        }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        if let Some(arrival) = self.0.take() {
            arrival.set(State::Dropped);
        }
    }
}

impl<T: NoUninit + AnyBitPattern> Readback<T> {
    pub fn new(gpu: &Gpu, label: &str, len: usize) -> Self {
        let raw = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: Self::tag_at(len) + TAG,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let arrival = Arrival { state: Mutex::new((State::Idle, None)), changed: Condvar::new() };
        let (arrival, tags) = (Arc::new(arrival), gpu.shared.tags.clone());
        Self { raw, len, tags, next: 0, arrival, element: PhantomData }
    }

    /// Where the tag is behind so many values.
    fn tag_at(len: usize) -> u64 {
        ((len * size_of::<T>()) as u64).next_multiple_of(TAG)
    }

    /// Records the copy. Its values are on their way as soon as `encoder` is submitted. `source`
    /// must be as long as this.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder, source: &Buffer<T>) {
        self.record_from(encoder, &source.raw);
    }

    /// As [`record`](Self::record), from a buffer that no shader binds.
    pub(super) fn record_from(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        source: &wgpu::Buffer,
    ) {
        let tag_at = Self::tag_at(self.len);
        encoder.copy_buffer_to_buffer(source, 0, &self.raw, 0, tag_at);
        self.next = (self.next + 1) % Tags::COUNT;
        let tag = TAG * self.next as u64;
        encoder.copy_buffer_to_buffer(&self.tags.0, tag, &self.raw, tag_at, TAG);
        self.arrival.set(State::Requested);
        let notice = Notice(Some(self.arrival.clone()));
        encoder.map_buffer_on_submit(&self.raw, wgpu::MapMode::Read, .., move |result| {
            notice.is(if result.is_ok() { State::Ready } else { State::Failed });
        });
    }

    /// Waits for the submission that holds the recorded copy (without one, for all submissions so
    /// far), then takes the values.
    pub fn take_blocking(
        &mut self,
        gpu: &Gpu,
        submission: impl Into<Option<wgpu::SubmissionIndex>>,
    ) -> Result<Vec<T>> {
        let doing = "read results back";
        gpu.wait_for(submission.into(), doing)?;
        gpu.check(doing)?;
        // Another thread's poll may have taken our callback and may call it soon.
        let Arrival { state, changed } = &*self.arrival;
        let waiting = |s: &mut (State, Option<Waker>)| s.0 == State::Requested;
        drop(
            changed
                .wait_timeout_while(unpoisoned(state), Duration::from_secs(10), waiting)
                .unwrap_or_else(PoisonError::into_inner),
        );
        let never = "the copy never arrived; was its command encoder submitted?";
        self.take()?.ok_or_else(|| Error::gpu(doing, never))
    }

    /// The values if they have arrived; never waits. Afterwards this can be used again.
    pub fn take(&mut self) -> Result<Option<Vec<T>>> {
        let doing = "read results back";
        match self.arrival.state() {
            State::Idle | State::Requested => return Ok(None),
            State::Failed => return Err(Error::gpu(doing, "the device was lost or out of memory")),
            State::Dropped => {
                return Err(Error::gpu(doing, "their command encoder was dropped, not submitted"));
            }
            State::Refused => return Err(Error::gpu(doing, REFUSED)),
            State::Ready => {}
        }
        let view = self.raw.get_mapped_range(..).map_err(|e| Error::gpu(doing, e))?;
        let (all, tag) = view.split_at(Self::tag_at(self.len) as usize);
        let came = tag == bytemuck::bytes_of(&(self.next as u32 + 1));
        let values = bytemuck::pod_collect_to_vec(&all[..self.len * size_of::<T>()]);
        drop(view);
        self.raw.unmap();
        self.arrival.set(if came { State::Idle } else { State::Refused });
        if came { Ok(Some(values)) } else { Err(Error::gpu(doing, REFUSED)) }
    }

    /// Whether what was recorded will never arrive: its encoder is gone and was not submitted.
    pub fn is_dropped(&self) -> bool {
        self.arrival.state() == State::Dropped
    }

    /// The values, once they have arrived.
    pub async fn arrived(&mut self) -> Result<Vec<T>> {
        poll_fn(|context| self.poll_take(context)).await
    }

    /// Ready unless the copy is still on its way; then the waiting task is woken when it has arrived.
    pub fn poll_arrived(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = unpoisoned(&self.arrival.state);
        if state.0 != State::Requested {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }

    /// For a future: the values if they have arrived; otherwise the waiting task is woken when they
    /// arrive, which is noticed when somebody polls the device.
    pub fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<T>>> {
        if self.poll_arrived(context).is_pending() {
            return Poll::Pending;
        }
        let none = || Error::gpu("read results back", "none were asked for");
        Poll::Ready(self.take().and_then(|values| values.ok_or_else(none)))
    }
}
