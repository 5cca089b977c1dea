"""The options of the commands, without anything heavy, so that `jaxnas --help` is quick."""
