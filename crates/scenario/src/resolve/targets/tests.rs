//! Do monitors select, and label, as the real ones do?
