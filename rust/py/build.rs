//! Hands on what PyO3 found out about the Python that the module is built for, such as whether it has a GIL.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
