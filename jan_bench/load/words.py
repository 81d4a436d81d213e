"""Words of four letters: in a vocabulary of any size to speak of each is one token with the space
before it, and in one of bytes all are as long. So the tokens of a text follow from its words.
"""

from __future__ import annotations

import random

__all__ = ["random_text"]

_TEXT = """\
able also area army away baby back ball band bank base bear beat bill bird blue boat body book born
both call camp card care case cash cast cell chip city club coal coat code cold come cook cool copy
corn cost crew crop dark data date dead deal deep desk diet disk door down draw drop dust duty each
earn east easy edge else even ever face fact fail fair fall farm fast fear feel file fill film find
fine fire firm fish five flag flat flow food foot form four free from fuel full fund game gate gift
give glad goal goes gold good gray grew grow hair half hall hand hang hard have head hear heat held
help here hero high hill hold hole home hope host hour huge idea inch into iron item join jump just
keep kind king knew know lack lady lake land last late lead left less life lift like line link list
live load loan long look lord lose loss lost love made mail main make male many mark mass meal mean
meet mile milk mind mine miss mode moon more most move much must name near neck need news next nice
nine none note once only onto open over pack page pain pair park part pass past path peak pick plan
play plus pool poor port post pull pure push race rail rain rate read real rest rice rich ride ring
rise risk road rock role roll roof room root rose rule safe said sale salt same sand save seat seed
seek seem self sell send sent ship shop shot show shut side sign site size skin slow snow soft soil
sold some song soon sort soul spot star stay stem step stop such suit sure take tale talk tall tank
task team tell tend term test text than that them then they thin this thus time tiny tone tool tour
town tree trip true tube turn twin type unit upon used user vary vast very view vote wage wait walk
wall want warm wash wave weak wear week well went were west what when wide wife wild will wind wine
wing wire wise wish with wood word work yard year your zero zone
"""
_WORDS = tuple(_TEXT.split())


def random_text(n_words: int, rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=n_words))
