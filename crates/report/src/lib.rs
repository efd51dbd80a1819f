//! Results to tables, CSV, Parquet, plots and HTML.
