"""Tasks from files: real data from CSV and Parquet, and every wrong file answered in one line."""

import io
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_iris, load_wine

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.tasks import files

pytestmark = pytest.mark.filterwarnings("ignore:Expected different examples")  # iris has one flower twice


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """Returns the folder of wine.csv, its label first, and of iris.csv and iris.parquet, theirs last."""
    folder = tmp_path_factory.mktemp("data")
    data = load_wine(as_frame=True)
    data.frame[["target", *data.feature_names]].to_csv(folder / "wine.csv", index=False)
    iris = load_iris(as_frame=True)
    frame = iris.frame.assign(target=iris.target_names[iris.target])
    frame.to_csv(folder / "iris.csv", index=False)
    frame.to_parquet(folder / "iris.parquet", index=False)
    return folder


def test_the_label_is_the_last_column_or_the_one_that_is_named(wine):
    task = jn.task(f"{wine}/wine.csv:target")
    expected = jn.task_from_arrays(*load_wine(return_X_y=True), name="wine")
    assert task.sha256 == expected.sha256
    assert task.name == "wine"
    assert "alcohol" in task.card
    assert str(wine) not in task.card
    irises = [jn.task(f"{wine}/iris.{kind}") for kind in ("csv", "parquet")]
    expected = jn.task_from_arrays(*load_iris(return_X_y=True), name="iris")
    assert [iris.sha256 for iris in irises] == [expected.sha256] * 2
    assert irises[0].classes == ("setosa", "versicolor", "virginica")


def test_a_command_takes_a_label(wine, capsys):
    command = ["search", "--space", "mlp-small", "--strategy", "random_search", "--trials", "1", "--epochs", "1"]
    assert main([*command, "--task", f"{wine}/wine.csv", "--label", "color", "--out", f"{wine}/out"]) == 2
    assert "Expected a column of wine.csv of alcalinity_of_ash, " in capsys.readouterr().err
    assert main([*command, "--task", "digits", "--label", "color"]) == 2
    assert "Expected --label with a file.csv or file.parquet, got the task 'digits'." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "to be a csv table, got: Empty CSV file"),
        ("a\n1\n", "with rows of features and a label in columns of different names, got 1 rows of a"),
        ("a,a,y\n1,2,0\n", "in columns of different names, got 1 rows of a, a, y"),
        ("a,y\n", "got 0 rows"),
        ("1.5,2.5,red\n1,2,blue\n", "Expected a first line with the names of the columns in"),
        ("a,b,y\n1,red,0\n2,blue,1\n", "Expected numbers in the column 'b', got string such as 'red'; turn words into"),
        (
            "a,b,y\n1,,0\n2,3,1\n",
            "Expected a number in every row of the column 'b', got 1 missing values; fill them in",
        ),
        ("a,b,y\n1,2,\n2,3,1\n", "Expected a label in every row of the column 'y', got 1 missing ones"),
        ("a,b,y\n1,2,0\n1\n", "to be a csv table, got: CSV parse error"),
        ("\xff\x00", "Expected "),
    ],
)
def test_a_wrong_csv_is_answered_in_one_line(text, message, tmp_path):
    (tmp_path / "mine.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"^Expected ") as error:
        jn.task(f"{tmp_path}/mine.csv")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


HEADER = npy(np.zeros((100, 4)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x,y\n1,2\n",
        npy(np.zeros(3)),
        npz(X=np.zeros((9, 2)), y=np.arange(9))[:-40],
        npz(X=np.array([{}, []], object), y=np.arange(2)) if False else zipped(X=b"\x80\x04N.", y=npy(np.arange(3))),
        zipped(X=HEADER.replace(b"(100, 4)", b"(100, 4("), y=npy(np.arange(100))),
        zipped(X=HEADER.replace(b"(100, 4), ", b"(10**9,),"), y=npy(np.arange(100))),
        zipped(X=HEADER.replace(b"(100, 4)", b"(9999999999, 99999999)")[:128] + HEADER[128:], y=npy(np.arange(100))),
        zipped(X=HEADER[:60], y=npy(np.arange(100))),
        zipped(X=HEADER[:400], y=npy(np.arange(100))),
    ],
)
def test_a_wrong_npz_is_answered_in_one_line(data, tmp_path):
    (tmp_path / "mine.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"^Expected .*mine.npz") as error:
        jn.task(f"{tmp_path}/mine.npz")
    assert "\n" not in str(error.value)
    assert "pickle" not in str(error.value)


def test_sizes_are_read_before_data(tmp_path, monkeypatch):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, X=np.zeros((10_000, 400)), y=np.arange(10_000))
    monkeypatch.setattr(files, "ALWAYS_READ", 2**20)
    loaded = []
    monkeypatch.setattr(np, "load", lambda *_, **__: loaded.append(1))
    with pytest.raises(
        ValueError, match=r"32,080,000 bytes of arrays in [\d,]+ bytes of file, .* save it by np.savez, wi"
    ):
        jn.task(str(path))
    assert not loaded
    pq.write_table(pa.table({"a": np.zeros(10**6), "y": np.zeros(10**6, int)}), tmp_path / "mine.parquet")
    with pytest.raises(ValueError, match="2,000,000 values in"):
        jn.task(f"{tmp_path}/mine.parquet")
