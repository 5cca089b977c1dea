import jaxnas as jn

space = jn.MLPSpace(
    max_layers=10,
    max_units=128,
    activations=("relu", "sigmoid"),
    initializers=("random_normal", "lecun_normal"),
    regularizers=("none", "l1", "l2"),
    dropout_rates=(0, 0.25, 0.5, 0.75),
)
nas = jn.NAS(space, task="digits", strategy="regularized_evolution", config=jn.TrainConfig(num_epochs=20))
best = nas.search(num_trials=100)
print(best)
model = best.train()
print(f"train {model.score('train'):.3f}, test {model.score('test'):.3f}")
