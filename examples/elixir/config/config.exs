import Config

config :shop, currency: "EUR", shelves: [tea: 100, coffee: 50]
