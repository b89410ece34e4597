import Config

# Each node has an environment of its own.
config :shop, shelves: [coffee: String.to_integer(System.get_env("SHOP_COFFEE", "50"))]
