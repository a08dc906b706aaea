const PER_TOKENS = 1_000_000;
const DEFAULT_PRICE = { prompt: 1, completion: 3 };

/** What answers cost, by the backend's own figure or by prices in US dollars for a million tokens. */
export class Prices {
  #prices;

  constructor(prices) {
    this.#prices = new Map(Object.entries(prices));
  }

  costOf(model, { promptTokens, completionTokens }, headers = {}) {
    const told = Number(headers["x-litellm-response-cost"] || Number.NaN);
    if (Number.isFinite(told) && told >= 0) return told;
    const price = this.#prices.get(model) ?? DEFAULT_PRICE;
    return (promptTokens * price.prompt + completionTokens * price.completion) / PER_TOKENS;
  }
}
