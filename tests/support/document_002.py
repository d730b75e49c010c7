"""What document 002 (artifacts) shows of steps and pipelines, as it stands there."""

from __future__ import annotations

# Section "Creating Artifacts (Step Outputs)".

CREATE = '''
from zenml import pipeline, step
import pandas as pd

@step
def create_data() -> pd.DataFrame:
    """Creates a dataframe that becomes an artifact."""
    return pd.DataFrame({
        "feature_1": [1, 2, 3],
        "feature_2": [4, 5, 6],
        "target": [10, 20, 30]
    })
'''

# Section "Consuming Artifacts (Step Inputs)".

CONSUME = '''
@step
def process_data(df: pd.DataFrame) -> pd.DataFrame:
    """Takes an artifact as input and returns a new artifact."""
    df["feature_3"] = df["feature_1"] * df["feature_2"]
    return df

@pipeline
def simple_pipeline():
    """Pipeline that creates and processes artifacts."""
    data = create_data()  # Produces an artifact
    processed_data = process_data(data)  # Uses and produces artifacts
'''

# Section "Artifacts vs. Parameters".

PARAMETERS = '''
@step
def train_model(data: pd.DataFrame, learning_rate: float) -> object:
    """Step with both artifact and parameter inputs."""
    # data is an artifact (output from another step)
    # learning_rate is a parameter (literal value)
    model = create_model(learning_rate)
    model.fit(data)
    return model

@pipeline
def training_pipeline():
    # data is an artifact
    data = create_data()

    # data is passed as an artifact, learning_rate as a parameter
    model = train_model(data=data, learning_rate=0.01)
'''

# Section "Accessing Artifacts After Pipeline Runs".

AFTER_A_RUN = """
from zenml.client import Client

# Get a specific run
client = Client()
pipeline_run = client.get_pipeline_run("<PIPELINE_RUN_ID>")

# Get an artifact from a specific step
train_data = pipeline_run.steps["split_data"].outputs["train_data"].load()

# Use the artifact
print(train_data.shape)
"""

# Section "Type Annotations".

ANNOTATIONS = '''
from typing import Tuple
import numpy as np

@step
def preprocess_data(df: pd.DataFrame) -> np.ndarray:
    """Type annotation tells ZenML this returns a numpy array."""
    return df.values

@step
def split_data(data: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Type annotation tells ZenML this returns a tuple of numpy arrays."""
    split_point = len(data) // 2
    return data[:split_point], data[split_point:]
'''

# Section "Returning Multiple Outputs".

MULTIPLE_OUTPUTS = '''
from typing import Tuple, Annotated
import numpy as np

@step
def split_data(
    data: np.ndarray,
    target: np.ndarray
) -> Tuple[
    Annotated[np.ndarray, "X_train"],
    Annotated[np.ndarray, "X_test"],
    Annotated[np.ndarray, "y_train"],
    Annotated[np.ndarray, "y_test"]
]:
    """Split data into training and testing sets."""
    # Implement split logic
    X_train, X_test = data[:80], data[80:]
    y_train, y_test = target[:80], target[80:]

    return X_train, X_test, y_train, y_test
'''

# Section "Naming Your Artifacts".

NAMING = '''
from typing import Tuple
from typing_extensions import Annotated  # or `from typing import Annotated` in Python 3.9+

@step
def split_dataset(
    df: pd.DataFrame
) -> Tuple[
    Annotated[pd.DataFrame, "train_data"],
    Annotated[pd.DataFrame, "test_data"]
]:
    """Split a dataframe into training and testing sets."""
    train = df.sample(frac=0.8, random_state=42)
    test = df.drop(train.index)
    return train, test
'''

# Section "Naming Your Artifacts".

PLACEHOLDERS = '''
@step
def extract_data(source: str) -> Annotated[pd.DataFrame, "{dataset_type}_data"]:
    """Extract data with a dynamically named output."""
    # Implementation...
    return data

@pipeline
def data_pipeline():
    # These will create artifacts named "train_data" and "test_data"
    train_df = extract_data.with_options(
        substitutions={"dataset_type": "train"}
    )(source="train_source")

    test_df = extract_data.with_options(
        substitutions={"dataset_type": "test"}
    )(source="test_source")
'''

# Section "Materializers: How Data Gets Stored".

MATERIALIZERS = '''
@step
def train_model(X_train, y_train) -> sklearn.linear_model.LinearRegression:
    """Train a model and return it as an artifact."""
    model = LinearRegression()
    model.fit(X_train, y_train)
    return model  # ZenML uses a specific materializer for scikit-learn models
'''

# Section "Lineage and Caching".

CACHED = """
@pipeline
def cached_pipeline():
    # If create_data has been run before with the same code and inputs,
    # the cached artifact will be used
    data = create_data()

    # If process_data has been run before with the same code and inputs
    # (including the exact same data artifact), the cached output will be used
    processed_data = process_data(data)
"""

# Section "Accessing Artifacts from Previous Runs".

WITHIN_A_STEP = '''
from zenml.client import Client
from zenml import step

@step
def evaluate_against_previous(model, X_test, y_test) -> float:
    """Compare current model with the previous best model."""
    client = Client()

    # Get the previous best model
    best_model = client.get_artifact_version("best_model")

    # Use it for comparison
    previous_accuracy = best_model.data.score(X_test, y_test)
    current_accuracy = model.score(X_test, y_test)

    return current_accuracy - previous_accuracy
'''

# Section "Cross-Pipeline Artifact Usage".

CROSS_PIPELINE = '''
from zenml.client import Client
from zenml import step, pipeline

@step
def use_trained_model(data: pd.DataFrame, model) -> pd.Series:
    """Use a model loaded from a previous pipeline run."""
    return pd.Series(model.predict(data))

@pipeline
def inference_pipeline():
    # Load data
    data = load_data()

    # Get the latest model from another pipeline
    model = Client().get_artifact_version("trained_model")

    # Use it for predictions
    predictions = use_trained_model(data=data, model=model)
'''
