# What a first python3 that imports os and json reads of a Debian 12 system, recorded behind images/debian-boot.profile.
/usr/bin/python3.11	0+2097152
/usr/bin/python3.11	6291456+2097152
/usr/bin/python3.11	4194304+2097152
/usr/bin/python3.11	2097152+2097152
/usr/lib/python3.11/
/usr/lib/python3.11/encodings/__pycache__/__init__.cpython-311.pyc
/usr/lib/python3.11/encodings/__init__.py
/usr/lib/python3.11/encodings/
/usr/lib/python3.11/encodings/__pycache__/aliases.cpython-311.pyc
/usr/lib/python3.11/encodings/aliases.py
/usr/lib/python3.11/encodings/__pycache__/utf_8.cpython-311.pyc
/usr/lib/python3.11/encodings/utf_8.py
/usr/local/lib/python3.11/dist-packages/
/usr/lib/python3/dist-packages/
/usr/lib/python3.11/__pycache__/sitecustomize.cpython-311.pyc
/etc/python3.11/sitecustomize.py
/usr/lib/python3.11/lib-dynload/
/usr/lib/python3.11/json/__pycache__/__init__.cpython-311.pyc
/usr/lib/python3.11/json/__init__.py
/usr/lib/python3.11/json/
/usr/lib/python3.11/json/__pycache__/decoder.cpython-311.pyc
/usr/lib/python3.11/json/decoder.py
/usr/lib/python3.11/re/__pycache__/__init__.cpython-311.pyc
/usr/lib/python3.11/re/__init__.py
/usr/lib/python3.11/__pycache__/enum.cpython-311.pyc
/usr/lib/python3.11/enum.py
/usr/lib/python3.11/__pycache__/types.cpython-311.pyc
/usr/lib/python3.11/types.py
/usr/lib/python3.11/__pycache__/operator.cpython-311.pyc
/usr/lib/python3.11/operator.py
/usr/lib/python3.11/__pycache__/functools.cpython-311.pyc
/usr/lib/python3.11/functools.py
/usr/lib/python3.11/collections/__pycache__/__init__.cpython-311.pyc
/usr/lib/python3.11/collections/__init__.py
/usr/lib/python3.11/__pycache__/keyword.cpython-311.pyc
/usr/lib/python3.11/keyword.py
/usr/lib/python3.11/__pycache__/reprlib.cpython-311.pyc
/usr/lib/python3.11/reprlib.py
/usr/lib/python3.11/re/
/usr/lib/python3.11/re/__pycache__/_compiler.cpython-311.pyc
/usr/lib/python3.11/re/_compiler.py
/usr/lib/python3.11/re/__pycache__/_parser.cpython-311.pyc
/usr/lib/python3.11/re/_parser.py
/usr/lib/python3.11/re/__pycache__/_constants.cpython-311.pyc
/usr/lib/python3.11/re/_constants.py
/usr/lib/python3.11/re/__pycache__/_casefix.cpython-311.pyc
/usr/lib/python3.11/re/_casefix.py
/usr/lib/python3.11/__pycache__/copyreg.cpython-311.pyc
/usr/lib/python3.11/copyreg.py
/usr/lib/python3.11/json/__pycache__/scanner.cpython-311.pyc
/usr/lib/python3.11/json/scanner.py
/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so
/usr/lib/python3.11/json/__pycache__/encoder.cpython-311.pyc
/usr/lib/python3.11/json/encoder.py
