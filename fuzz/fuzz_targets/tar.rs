#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dm_wgpu_fuzz::tar(bytes);
});
