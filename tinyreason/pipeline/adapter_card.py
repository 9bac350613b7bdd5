"""The README.md of an adapter's folder: what it is, and how it is loaded. It has no path of this machine in it."""

from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.models.gguf import gguf_file

CARD = """\
---
library_name: peft{base_line}
---

# {recipe}

A {kind} adapter of rank {rank} on {base}, trained with tinyreason: recipe `{recipe}`, tier `{tier}`, seed {seed}.
What it gained stands in `result.json` of its run.

```python
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("adapter"{file})  # this folder
tokenizer = AutoTokenizer.from_pretrained(model.peft_config["default"].base_model_name_or_path{file})
chat = [{{"role": "user", "content": "What is 12 + 30?"}}]
prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print(tokenizer.decode(model.generate(**prompt, max_new_tokens={tokens})[0]))
```
"""


def save_adapter(config: RunConfig, model, folder: Path) -> None:
    """Saves the model's adapter into a folder that any PEFT user can load, with a card."""
    config.adapter.save(model, folder)
    (folder / "README.md").write_text(adapter_card(config), encoding="utf-8")


def adapter_card(config: RunConfig) -> str:
    """Returns the card; of a base in a folder it has the folder's name alone."""
    name = config.model.name
    is_of_the_hub = not config.model.is_built_in and not Path(name).exists()
    file = gguf_file(config.model)
    return CARD.format(
        file=f", gguf_file={file!r}" if file else "",
        base_line=f"\nbase_model: {name}" if is_of_the_hub else "",
        base=name if is_of_the_hub else Path(name).name,
        kind=config.adapter.kind,
        rank=config.adapter.rank,
        recipe=config.recipe,
        tier=config.tier,
        seed=config.seed,
        tokens=config.train.max_completion_tokens,
    )
