"""Do other libraries take the tables as they are?"""

import io

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.csv
import pytest


def test_pyarrow_shares_the_memory(results):
    first, second = pyarrow.table(results.timeline), None
    table = results.timeline
    first, second = pyarrow.table(table), pyarrow.table(table)
    buffers = [one["arrivals"].chunk(0).buffers()[1].address for one in (first, second)]
    assert buffers[0] == buffers[1]


@pytest.mark.parametrize("name", ["summary", "timeline", "decisions", "replicas", "nodes"])
def test_polars_has_the_values_of_the_file(results, name):
    frame = polars.DataFrame(results.table(name))
    read = polars.read_csv(io.BytesIO(results.table(name).to_csv()), schema=frame.schema)
    assert frame.equals(read)
    assert frame.columns == results.table(name).columns
    assert frame.height == len(results.table(name))


def test_pandas_takes_them(results):
    frame = pandas.DataFrame.from_arrow(results.summary)
    assert list(frame["policy"]) == ["static", "hpa"]
    assert frame["cost_usd"].dtype.kind == "f"


def test_duckdb_takes_them(results):
    summary = results.summary
    found = duckdb.sql("select policy from summary order by cost_usd").fetchall()
    assert summary is not None
    assert {row[0] for row in found} == {"static", "hpa"}


def test_a_table_of_no_rows_keeps_its_columns(scenario):
    import scalelab
    from conftest import ROOT

    queue = scalelab.load(ROOT / "scenarios" / "theory" / "mm8").set("run.duration", "1h").run(replications=1)
    comparison = pyarrow.table(queue.comparison)
    assert comparison.num_rows == 0
    assert comparison.column_names == queue.comparison.columns


def test_a_table_that_is_not_there_is_an_attribute_error(results):
    with pytest.raises(AttributeError, match="no table `sumary`"):
        results.sumary
    with pytest.raises(KeyError, match="one of: summary"):
        results.table("sumary")
